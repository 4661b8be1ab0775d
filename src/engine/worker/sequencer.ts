/** The requests of an instance: through a continuous batcher over the sequences of its context, and out as messages. */

import { CenoteError, fail } from '../../errors.ts';
import { ContinuousBatcher } from '../batch/continuous-batcher.ts';
import type { GeneratedToken } from '../api.ts';
import type { LlamaContext } from '../llama/context.ts';
import type { LlamaModel } from '../llama/model.ts';
import type { Counters } from '../state/counters.ts';
import type { StateKeeper } from '../state/keeper.ts';
import { Answering } from './answering.ts';
import { LlamaSteps } from './llama-steps.ts';
import { promptTokens } from './prompt-tokens.ts';
import type { Failure, FromInstance, Work } from './protocol.ts';
import { noToken } from './sample.ts';

/** Requests that may wait in an instance, for each of its sequences: whoever asks sends no more than that, cancelled ones apart. */
const waitingFactor = 64;

export interface SequencerOptions {
  readonly model: LlamaModel;
  readonly context: LlamaContext;
  /** Undefined: nothing is kept. */
  readonly keeper: StateKeeper | undefined;
  readonly counters: Counters;
  readonly post: (message: FromInstance) => void;
  /** State may wait to be written, or somebody has gone. */
  readonly wake: () => void;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

export class Sequencer {
  readonly #options: SequencerOptions;
  readonly #batcher: ContinuousBatcher<Answering>;
  readonly #cancels = new Map<number, AbortController>();
  /** Over for those who asked, and not yet for the context. */
  readonly #leaving = new Set<Answering>();
  /** Of one step. */
  #tokens: (GeneratedToken & { id: number })[] = [];

  constructor(options: SequencerOptions) {
    const { context, keeper, counters, wake, nowMs } = options;
    const { sequences, batchTokens, contextTokens } = context.shape;
    this.#options = options;
    const kept = (): void => {
      for (const each of this.#leaving) if (!each.hasPlace) this.#leaving.delete(each);
      wake();
    };
    this.#batcher = new ContinuousBatcher({
      model: new LlamaSteps({ context, keeper, counters, kept, nowMs }),
      slots: sequences,
      chunkTokens: batchTokens,
      alignChunks: true,
      joinedChunks: context.piecesTogether,
      stepTokens: sequences + batchTokens,
      contextTokens,
      queueMax: sequences * waitingFactor,
      // What is kept nowhere would be computed again.
      ...(keeper === undefined ? { sliceSteps: Infinity } : {}),
    });
  }

  /** True when nobody who has been answered has state that was not taken yet. */
  get isSettled(): boolean {
    return this.#leaving.size === 0;
  }

  async start(id: number, work: Work): Promise<void> {
    const { context, post, nowMs } = this.#options;
    const controller = new AbortController();
    this.#cancels.set(id, controller);
    let answering: Answering | undefined;
    try {
      const { contextTokens } = context.shape;
      const tokens = promptTokens(this.#options.model, work.prompt, contextTokens);
      const meta = new Answering(id, work, tokens.length, contextTokens, nowMs());
      answering = meta;
      const { tenant, maxTokens } = work;
      const { signal } = controller;
      const onToken = (token: number): boolean => this.#take(meta, token);
      await this.#options.keeper?.warm(tenant, tokens);
      await this.#batcher.submit({ tokens, maxTokens, tenant, meta, signal, onToken });
      post({ type: 'done', id, result: meta.result(nowMs()) });
    } catch (error) {
      post({ type: 'failed', id, failure: failureOf(error) });
    }
    this.#cancels.delete(id);
    if (answering?.hasPlace === true) this.#leaving.add(answering);
  }

  cancel(id: number): void {
    this.#cancels.get(id)?.abort();
  }

  /** Ends what runs. Resolves when all state has been taken. */
  close(): Promise<void> {
    return this.#batcher.close();
  }

  /** @returns true when it is the last one. @throws engine_logits_invalid: what it computed is not kept */
  #take(answering: Answering, token: number): boolean {
    const { model, nowMs } = this.#options;
    const { id, work } = answering;
    if (token === noToken) {
      const after = answering.promptTokens + answering.completionTokens;
      fail(
        'engine_logits_invalid',
        `The model ${model.path} gave logits that are no numbers, after ${after} tokens.`,
      );
    }
    const isEnd = !work.ignoreEnd && model.isEnd(token);
    const taken = answering.take(token, model.piece(token), isEnd, nowMs());
    // All tokens of a step go together, before the results of those that end with it.
    if (this.#tokens.length === 0) queueMicrotask(() => this.#say());
    this.#tokens.push({ id, ...taken });
    return answering.isFinished;
  }

  #say(): void {
    const tokens = this.#tokens;
    this.#tokens = [];
    this.#options.post({ type: 'tokens', tokens });
  }
}

export function failureOf(error: unknown): Failure {
  if (error instanceof CenoteError) return { code: error.code, message: error.message };
  const text = error instanceof Error ? error.message : String(error);
  return { code: 'engine_failed', message: `The instance failed: ${text}` };
}
