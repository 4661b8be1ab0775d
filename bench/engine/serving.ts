/** Ways to serve a model: a context made for each request, one context that is kept, sequences that join and leave batches, and those from a pool. */

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { ContinuousBatcher } from '../../src/engine/batch/continuous-batcher.ts';
import { LlamaContext } from '../../src/engine/llama/context.ts';
import type { LlamaModel } from '../../src/engine/llama/model.ts';
import { Counters } from '../../src/engine/state/counters.ts';
import type { StateKeeper } from '../../src/engine/state/keeper.ts';
import { Answering } from '../../src/engine/worker/answering.ts';
import { LlamaSteps } from '../../src/engine/worker/llama-steps.ts';
import { openPool } from '../../src/pool/open.ts';
import { workOf } from '../../test/engine/support/work.ts';
import { keeperOf, mib } from './model.ts';

/** Tiles of 6, 5 and 5 rows of ggml's matrix kernels: 16 rows take 12.2 ms in float32, two tiles of 4 rows 11.1, of 5 and 4 rows 8.2, three of 5 rows 15.8. */
export const sequences = 16;
const poolBytes = 512 * mib;

export interface Answered {
  readonly answer: Int32Array;
  /** Nanoseconds to the first token. */
  readonly firstNs: number;
}

/** A model that is loaded. */
export interface Served {
  readonly model: LlamaModel;
  /** Of a sequence. */
  readonly roomTokens: number;
}

/** A context with a batcher over it. */
export class Server {
  readonly #context: LlamaContext;
  readonly #batcher: ContinuousBatcher<Answering>;

  constructor({ model, roomTokens }: Served, slots: number, keeper?: StateKeeper) {
    // Whoever serves one at a time has nobody whose company could change digits: as fast as llama.cpp is by itself.
    const exact = slots > 1;
    const shape = { contextTokens: roomTokens, sequences: slots, batchTokens: 64, threads: 1 };
    this.#context = new LlamaContext(model, { ...shape, kvType: 'f16', exact });
    this.#batcher = new ContinuousBatcher({
      model: new LlamaSteps({
        context: this.#context,
        keeper,
        counters: new Counters(),
        kept: () => undefined,
        nowMs: () => performance.now(),
      }),
      slots,
      chunkTokens: 64,
      alignChunks: true,
      joinedChunks: this.#context.piecesTogether,
      stepTokens: slots + 64,
      contextTokens: roomTokens,
    });
  }

  async answer(tokens: Int32Array, maxTokens: number): Promise<Answered> {
    const startedMs = performance.now();
    let firstNs = 0;
    const onToken = (): boolean => {
      if (firstNs === 0) firstNs = (performance.now() - startedMs) * 1e6;
      return false;
    };
    const work = workOf({ text: '' }, maxTokens);
    const meta = new Answering(0, work, tokens.length, this.#context.shape.contextTokens, 0);
    const request = { tokens, maxTokens, meta, onToken };
    return { answer: (await this.#batcher.submit(request)).tokens, firstNs };
  }

  async close(): Promise<void> {
    await this.#batcher.close();
    this.#context.close();
  }
}

export interface Serving {
  answer(tokens: Int32Array, maxTokens: number): Promise<Answered>;
  close(): Promise<void>;
}

export interface Way {
  readonly name: string;
  start(served: Served, folder: string): Promise<Serving>;
}

/** Requests wait for each other; each has a context of its own. Waiting counts. */
class ContextForEach implements Serving {
  readonly #served: Served;
  #before: Promise<unknown> = Promise.resolve();

  constructor(served: Served) {
    this.#served = served;
  }

  answer(tokens: Int32Array, maxTokens: number): Promise<Answered> {
    const cameMs = performance.now();
    const answered = this.#before.then(async () => {
      const waitedNs = (performance.now() - cameMs) * 1e6;
      const server = new Server(this.#served, 1);
      const { answer, firstNs } = await server.answer(tokens, maxTokens);
      await server.close();
      return { answer, firstNs: waitedNs + firstNs };
    });
    this.#before = answered;
    return answered;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** What is computed goes to a pool after each answer, and is looked for before. */
async function fromThePool(served: Served, folder: string): Promise<Serving> {
  const path = join(mkdtempSync(join(folder, 'state-')), 'pool');
  const pool = await openPool({ path, capacityBytes: poolBytes });
  const keeper = keeperOf(served.model, pool);
  const server = new Server(served, sequences, keeper);
  return {
    async answer(tokens, maxTokens) {
      const answered = await server.answer(tokens, maxTokens);
      // As an instance does between two steps.
      await new Promise((resolve) => setImmediate(resolve));
      while (keeper.step());
      return answered;
    },
    async close() {
      await server.close();
      await pool.close();
    },
  };
}

export const contextForEach: Way = {
  name: 'a context for each',
  start: (served) => Promise.resolve(new ContextForEach(served)),
};

export const oneContext: Way = {
  name: 'one context, kept',
  start: (served) => Promise.resolve(new Server(served, 1)),
};

export const batches: Way = {
  name: `batches of ${sequences}`,
  start: (served) => Promise.resolve(new Server(served, sequences)),
};

export const pooledBatches: Way = {
  name: `batches of ${sequences}, pool`,
  start: fromThePool,
};

export const ways: readonly Way[] = [contextForEach, oneContext, batches, pooledBatches];
