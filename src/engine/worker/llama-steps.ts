/**
 * llama.cpp as a continuous batcher has it: a slot is a sequence of the context. Answers of a step are computed in one batch, pieces of prompts in others, of
 * as many tokens each: what a prompt comes to does not depend on who else is asking.
 */

import type { Run, RunEnd, StepBatch, TokenModel } from '../batch/continuous-api.ts';
import type { LlamaContext } from '../llama/context.ts';
import type { Counters } from '../state/counters.ts';
import type { StateKeeper } from '../state/keeper.ts';
import type { Answering } from './answering.ts';
import { sample } from './sample.ts';

export interface StepsOptions {
  readonly context: LlamaContext;
  /** Undefined: nothing is kept. */
  readonly keeper: StateKeeper | undefined;
  readonly counters: Counters;
  /** State waits to be written. */
  readonly kept: () => void;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

const none = -1;

export class LlamaSteps implements TokenModel<Answering> {
  readonly #options: StepsOptions;
  readonly #logits: Float32Array;
  /** Who answers in each slot: a context has its sequences in this order. */
  readonly #members: Int32Array;
  /** Whose prompt is computed in each. */
  readonly #pieces: Int32Array;

  constructor(options: StepsOptions) {
    const { model, shape } = options.context;
    this.#options = options;
    this.#logits = new Float32Array(model.vocabulary);
    this.#members = new Int32Array(shape.sequences);
    this.#pieces = new Int32Array(shape.sequences);
  }

  async begin(run: Run<Answering>): Promise<number> {
    const { context, keeper, nowMs } = this.#options;
    const { meta, slot, tenant } = run;
    meta.hasPlace = true;
    const startedMs = nowMs();
    const tokens = run.tokens.slice(0, run.length);
    const { batchTokens } = context.shape;
    const restored = (await keeper?.restore(context, slot, tenant, tokens, batchTokens)) ?? 0;
    meta.restoredMs += nowMs() - startedMs;
    // What was brought back of an answer that had to make room is no prompt.
    if (meta.cachedTokens < 0) meta.cachedTokens = restored;
    return restored;
  }

  step(batch: StepBatch<Answering>): void {
    this.#seat(batch);
    for (let slot = 0; slot < this.#pieces.length;) slot = this.#computePieces(batch, slot);
    this.#answer(batch);
  }

  #seat(batch: StepBatch<Answering>): void {
    this.#members.fill(none);
    this.#pieces.fill(none);
    for (let member = 0; member < batch.size; member++) {
      const seats = isPiece(batch, member) ? this.#pieces : this.#members;
      seats[(batch.runs[member] as Run<Answering>).slot] = member;
    }
  }

  /** Computes pieces of prompts that can be together, and what follows where it is the last one. @returns the slot behind them */
  #computePieces(batch: StepBatch<Answering>, first: number): number {
    const end = this.#groupEnd(batch, first);
    if (end === first) return first + 1;
    const { context, counters, nowMs } = this.#options;
    const group = this.#pieces.subarray(first, end);
    const startedMs = nowMs();
    context.begin();
    for (const member of group) this.#addPiece(batch, member);
    context.compute();
    counters.add('promptBatches', 1);
    const tookMs = nowMs() - startedMs;
    const count = batch.counts[group[0] as number] as number;
    for (const [index, member] of group.entries()) {
      (batch.runs[member] as Run<Answering>).meta.prefilledMs += tookMs;
      if (batch.samples[member] === 1) this.#choose(batch, member, (index + 1) * count - 1);
    }
    return end;
  }

  /** Behind the slots from `first` on whose pieces are of one length, and have room in a batch. */
  #groupEnd({ counts }: StepBatch<Answering>, first: number): number {
    const pieces = this.#pieces;
    const count = counts[pieces[first] as number];
    if (count === undefined) return first;
    const most = Math.max(1, Math.floor(this.#options.context.piecesRows / count));
    let end = first + 1;
    while (end - first < most && counts[pieces[end] ?? none] === count) end += 1;
    return end;
  }

  #addPiece(batch: StepBatch<Answering>, member: number): void {
    const { tokens, computed, slot } = batch.runs[member] as Run<Answering>;
    const end = computed + (batch.counts[member] as number);
    for (let position = computed; position < end; position++) {
      const wantLogits = batch.samples[member] === 1 && position === end - 1;
      this.#options.context.add(slot, position, tokens[position] as number, wantLogits);
    }
  }

  #answer(batch: StepBatch<Answering>): void {
    const { context, counters } = this.#options;
    const members = this.#members;
    let count = 0;
    context.begin();
    for (const member of members) {
      if (member === none) continue;
      const { slot, computed, tokens } = batch.runs[member] as Run<Answering>;
      context.add(slot, computed, tokens[computed] as number, true);
      count += 1;
    }
    if (count === 0) return;
    context.compute();
    counters.batch(count);
    let row = 0;
    for (const member of members) {
      if (member === none) continue;
      this.#choose(batch, member, row);
      row += 1;
    }
  }

  /** Chooses the next token from a row of logits. */
  #choose(batch: StepBatch<Answering>, member: number, row: number): void {
    const { meta } = batch.runs[member] as Run<Answering>;
    this.#options.context.logits(row, this.#logits);
    meta.saw(this.#logits);
    batch.next[member] = sample(this.#logits, meta.work, meta.random);
  }

  /** All of its state is in the pool before the slot is another's: it is wanted soon. */
  preempt(run: Run<Answering>): void {
    const { keeper, counters } = this.#options;
    counters.add('preempted', 1);
    this.#leave(run);
    while (keeper?.step() === true);
  }

  end(run: Run<Answering>, reason: RunEnd): void {
    const { counters } = this.#options;
    const { meta } = run;
    counters.add('promptTokens', meta.promptTokens);
    counters.add('cachedTokens', Math.max(meta.cachedTokens, 0));
    counters.add('completionTokens', meta.completionTokens);
    if (reason === 'failed') this.#clear(run);
    else this.#leave(run);
    this.#options.kept();
  }

  /** Keeps what was computed, and frees the slot. */
  #leave(run: Run<Answering>): void {
    const { context, keeper } = this.#options;
    try {
      keeper?.take(context, run.slot, run.tenant, run.tokens.slice(0, run.computed));
    } catch (error) {
      // Of a pool that is broken: the instance ends with it, and another one tries.
      queueMicrotask(() => {
        throw error;
      });
    }
    this.#clear(run);
  }

  #clear({ slot, meta }: Run<Answering>): void {
    this.#options.context.remove(slot);
    meta.hasPlace = false;
  }
}

/** More than one token, or nothing that is wanted of it: no answer under way. */
function isPiece(batch: StepBatch<Answering>, member: number): boolean {
  return batch.counts[member] !== 1 || batch.samples[member] !== 1;
}
