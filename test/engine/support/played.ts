/** A context and its keeper in this thread, and sequences played in it with all their logits. */

import { createHash } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { LlamaContext, type ContextShape } from '../../../src/engine/llama/context.ts';
import { foreign } from '../../../src/engine/llama/foreign.ts';
import { LlamaModel } from '../../../src/engine/llama/model.ts';
import { Counters } from '../../../src/engine/state/counters.ts';
import { StateKeeper } from '../../../src/engine/state/keeper.ts';
import { parseState, type RowShape } from '../../../src/engine/state/rows.ts';
import { likeliest } from '../../../src/engine/worker/sample.ts';
import type { Pool } from '../../../src/pool/api.ts';
import { smallModel } from './models.ts';

export const batchTokens = 64;
export const steps = 64;

export class Played {
  readonly model: LlamaModel;
  readonly context: LlamaContext;
  readonly shape: RowShape;
  readonly counters: Counters = new Counters();
  readonly #keepers = new Map<Pool, StateKeeper>();

  constructor(shape: Partial<ContextShape> = {}, path: string = smallModel()) {
    this.model = new LlamaModel(path);
    this.context = new LlamaContext(this.model, {
      contextTokens: 512,
      sequences: 2,
      batchTokens,
      kvType: 'f16',
      threads: 1,
      ...shape,
    });
    this.context.begin();
    this.context.add(0, 0, 0, false);
    this.context.compute();
    const parsed = this.model.isPaged ? parseState(this.stateOf(0)) : undefined;
    this.shape = parsed?.shape ?? { types: [], rowBytes: [], tokenBytes: 0 };
    this.context.remove(0);
    onTestFinished(() => {
      this.context.close();
      this.model.close();
    });
  }

  readonly libraryVersion: string = foreign().version;

  keeper(pool: Pool, digest = 'd', libraryVersion = 'v'): StateKeeper {
    const known = this.#keepers.get(pool);
    if (known !== undefined) return known;
    const { flashAttention = true, exact = true } = this.context.shape;
    const keeper = new StateKeeper({
      pool,
      model: { digest, libraryVersion, flashAttention, exact, shape: this.shape },
      salt: 's',
      writeQueueBytes: 2 ** 28,
      counters: this.counters,
    });
    this.#keepers.set(pool, keeper);
    return keeper;
  }

  stateOf(sequence: number): Uint8Array {
    const state = this.context.saveState(sequence);
    if (state === undefined) throw new Error('the state has another size');
    return state;
  }

  /** Computes a prompt from `from` on, in pieces that end at multiples of a batch. @returns logits of its last token */
  prefill(sequence: number, prompt: Int32Array, from: number): Float32Array {
    let row = 0;
    for (let at = from; at < prompt.length;) {
      const to = Math.min(prompt.length, (Math.floor(at / batchTokens) + 1) * batchTokens);
      this.context.begin();
      for (; at < to; at++) {
        row = this.context.add(sequence, at, prompt[at] as number, at === prompt.length - 1);
      }
      this.context.compute();
    }
    return this.#logits(row);
  }

  /** Greedy steps after a prompt. @returns all tokens that were computed, and a digest of the logits of each step */
  answer(
    sequence: number,
    prompt: Int32Array,
    first: Float32Array,
  ): { tokens: Int32Array; logits: string[] } {
    const tokens = [...prompt];
    const logits = [digestOf(first)];
    let last = first;
    for (let step = 1; step < steps; step++) {
      const token = likeliest(last);
      this.context.begin();
      const row = this.context.add(sequence, tokens.length, token, true);
      this.context.compute();
      tokens.push(token);
      last = this.#logits(row);
      logits.push(digestOf(last));
    }
    return { tokens: Int32Array.from(tokens), logits };
  }

  /** Without any state that was kept. */
  undisturbed(prompt: Int32Array): string[] {
    this.context.remove(0);
    const { logits } = this.answer(0, prompt, this.prefill(0, prompt, 0));
    this.context.remove(0);
    return logits;
  }

  /** Computes a prompt and its answer, and writes their state. */
  keep(pool: Pool, prompt: Int32Array, tenant = ''): string[] {
    const { tokens, logits } = this.answer(0, prompt, this.prefill(0, prompt, 0));
    this.write(pool, 0, tokens, tenant);
    this.context.remove(0);
    return logits;
  }

  /** Writes the state of a sequence. */
  write(pool: Pool, sequence: number, tokens: Int32Array, tenant = ''): void {
    const keeper = this.keeper(pool);
    keeper.take(this.context, sequence, tenant, tokens);
    while (keeper.step());
  }

  /** Restores what there is of a prompt, and computes the rest and the answer. */
  async goOn(
    pool: Pool,
    prompt: Int32Array,
    sequence = 0,
    tenant = '',
  ): Promise<{ cached: number; logits: string[] }> {
    const keeper = this.keeper(pool);
    const cached = await keeper.restore(this.context, sequence, tenant, prompt, batchTokens);
    const { logits } = this.answer(sequence, prompt, this.prefill(sequence, prompt, cached));
    this.context.remove(sequence);
    return { cached, logits };
  }

  #logits(row: number): Float32Array {
    const logits = new Float32Array(this.model.vocabulary);
    this.context.logits(row, logits);
    return logits;
  }
}

export function digestOf(logits: Float32Array): string {
  return createHash('sha256').update(new Uint8Array(logits.buffer)).digest('hex');
}
