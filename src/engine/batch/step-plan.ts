/**
 * What a step computes. Whoever makes tokens comes first, one token each: prompts never stop answers. What is left of the budget goes to prompts in
 * chunks, fair to tenants by tokens, first come first served within a tenant.
 *
 * ```
 *   stepTokens  ┌─┬─┬─┬─┬──────────────┬──────────────┬─────────┐
 *               │1│1│1│1│ chunk of e   │ chunk of f   │ rest: g │
 *               └─┴─┴─┴─┴──────────────┴──────────────┴─────────┘
 * ```
 *
 * Chunks of the same length in slots that follow each other are a group, which the model may compute together: where a group ends the step, the next prompt
 * may join it beyond the budget.
 *
 * Nothing is allocated per step.
 */

import type { StepBatch } from './continuous-api.ts';
import type { ContinuousBounds } from './continuous-options.ts';
import { FairQueue } from './fair-queue.ts';
import type { TokenRun } from './token-run.ts';

export class StepPlan<M> implements StepBatch<M> {
  readonly runs: (TokenRun<M> | undefined)[];
  readonly counts: Int32Array;
  readonly samples: Uint8Array;
  readonly next: Int32Array;
  size = 0;
  tokens = 0;
  readonly #stepTokens: number;
  readonly #chunkTokens: number;
  readonly #alignChunks: boolean;
  readonly #joinedChunks: number;
  /** Of the chunks at the end of the step: how many are a group, of how many tokens each, in slots from the first to the last. */
  readonly #group = { size: 0, count: 0, first: 0, last: 0 };
  readonly #prompts: FairQueue<TokenRun<M>>;

  constructor(bounds: ContinuousBounds) {
    const { slots, stepTokens, chunkTokens, alignChunks, joinedChunks } = bounds;
    this.runs = Array.from({ length: slots });
    this.counts = new Int32Array(slots);
    this.samples = new Uint8Array(slots);
    this.next = new Int32Array(slots);
    this.#stepTokens = stepTokens;
    this.#chunkTokens = chunkTokens;
    this.#alignChunks = alignChunks;
    this.#joinedChunks = joinedChunks;
    this.#prompts = new FairQueue(chunkTokens);
  }

  /** A sequence that has a slot now. */
  enter(run: TokenRun<M>): void {
    if (run.missing === 1) return;
    run.cost = this.#chunkOf(run);
    this.#prompts.push(run);
  }

  /** It has no slot any more. */
  leave(run: TokenRun<M>): void {
    this.#prompts.remove(run);
  }

  /** Fills the tables from those who have slots. */
  make(running: readonly (TokenRun<M> | undefined)[]): void {
    this.size = 0;
    this.tokens = 0;
    for (let slot = 0; slot < running.length; slot++) {
      const run = running[slot];
      if (run === undefined || run.phase !== 'running' || run.lane !== undefined) continue;
      this.#add(run, 1);
    }
    this.#group.size = 0;
    let left = this.#stepTokens - this.tokens;
    while (left > 0) {
      if (this.#alignChunks && !this.#fits(left)) break;
      const run = this.#prompts.take();
      if (run === undefined) break;
      if (run.phase !== 'running') continue;
      const count = Math.min(run.cost, left);
      left -= count;
      this.#addChunk(run, count);
    }
    while (this.#nextJoins()) {
      const run = this.#prompts.take() as TokenRun<M>;
      this.#addChunk(run, run.cost);
    }
    this.runs.fill(undefined, this.size);
  }

  /** After the step: what was computed is in the states, and prompts of which more is left go on where they were. */
  settle(): void {
    // From the last: of a tenant's prompts the one that came first stays first.
    for (let index = this.size - 1; index >= 0; index--) {
      const run = this.runs[index] as TokenRun<M>;
      run.computed += this.counts[index] as number;
      if (run.phase !== 'running' || this.samples[index] === 1) continue;
      run.cost = this.#chunkOf(run);
      this.#prompts.pushFront(run);
    }
  }

  #chunkOf({ missing, computed }: TokenRun<M>): number {
    const done = this.#alignChunks ? computed % this.#chunkTokens : 0;
    return Math.min(missing, this.#chunkTokens - done);
  }

  /** Whether the next prompt's chunk does as a whole. */
  #fits(left: number): boolean {
    this.#prompts.begin();
    return (this.#prompts.peek()?.cost ?? 0) <= left;
  }

  #nextJoins(): boolean {
    if (this.#group.size === 0 || this.#group.size >= this.#joinedChunks) return false;
    this.#prompts.begin();
    const next = this.#prompts.peek();
    return next?.phase === 'running' && this.#isBeside(next, next.cost);
  }

  /** Whether a chunk would be one of the group. */
  #isBeside({ slot }: TokenRun<M>, chunk: number): boolean {
    const { size, count, first, last } = this.#group;
    return size > 0 && chunk === count && (slot === first - 1 || slot === last + 1);
  }

  #addChunk(run: TokenRun<M>, count: number): void {
    const group = this.#group;
    const { slot } = run;
    if (this.#isBeside(run, count)) {
      group.size += 1;
      group.first = Math.min(group.first, slot);
      group.last = Math.max(group.last, slot);
    } else {
      group.size = 1;
      group.count = count;
      group.first = group.last = slot;
    }
    this.#add(run, count);
  }

  #add(run: TokenRun<M>, count: number): void {
    this.runs[this.size] = run;
    this.counts[this.size] = count;
    this.samples[this.size] = count === run.missing ? 1 : 0;
    this.size += 1;
    this.tokens += count;
  }
}
