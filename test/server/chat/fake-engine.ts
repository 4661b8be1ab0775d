/** An engine that says the words of its prompt again, one at a time: for the shape of answers, not for what a model does. */

import { CenoteError, type ErrorCode } from '../../../src/errors.ts';
import type {
  EngineStats,
  GeneratedToken,
  GenerateRequest,
  Generation,
  GenerationResult,
  LlamaEngine,
  ModelInfo,
} from '../../../src/engine/api.ts';

export interface FakeEngine extends LlamaEngine {
  readonly requests: readonly GenerateRequest[];
  /** The next request fails so, after so many tokens. */
  failNext(code: ErrorCode, afterTokens: number): void;
  /** Tokens after so many wait until what this returns is called. */
  hold(afterTokens?: number): () => void;
}

const model: ModelInfo = {
  name: 'parrot',
  path: '/models/parrot.gguf',
  digest: '0'.repeat(64),
  description: 'says it again',
  parameters: 1,
  vocabulary: 2,
  layers: 3,
  trainedTokens: 1024,
  contextTokens: 1024,
  kvType: 'f16',
  tokenBytes: 4,
  hasTemplate: false,
};

const spread = { bounds: [1, 250], counts: [2, 1, 1], sum: 400 };

/** As if four requests had come, and one had been refused. */
export const fakeStats: EngineStats = {
  instances: 1,
  instancesStarted: 3,
  instancesLost: 2,
  running: 1,
  queued: 5,
  requests: 4,
  refused: 1,
  cancelled: 0,
  preempted: 6,
  waits: spread,
  firstTokens: spread,
  batches: { bounds: [1, 2], counts: [7, 8, 0], sum: 23 },
  promptBatches: 9,
  promptTokens: 100,
  cachedTokens: 60,
  completionTokens: 10,
  blocksWritten: 11,
  blocksShared: 12,
  blocksRestored: 13,
  blocksDropped: 14,
  blocksRejected: 15,
  blocksRefused: { fingerprint: 16, truncated: 17, checksum: 18, foreign: 19, refused: 20 },
};

export function fakeEngine(name: string = model.name): FakeEngine {
  const requests: GenerateRequest[] = [];
  let failure: { code: ErrorCode; afterTokens: number } | undefined;
  let held: Promise<undefined> = Promise.resolve(undefined);
  let heldFrom = 0;

  async function* run(
    request: GenerateRequest,
    settle: (result: GenerationResult) => void,
  ): AsyncGenerator<GeneratedToken> {
    const failing = failure;
    failure = undefined;
    const text = request.prompt ?? (request.messages ?? []).map(({ content }) => content).join(' ');
    const words = text.split(' ').slice(0, request.maxTokens ?? 256);
    const stopped = new Promise<never>((_, reject) => {
      const stop = (): void => reject(new CenoteError('aborted', 'The caller is gone.'));
      request.signal?.addEventListener('abort', stop);
      if (request.signal?.aborted) stop();
    });
    stopped.catch(() => {});
    for (const [index, word] of words.entries()) {
      if (failing?.afterTokens === index) throw new CenoteError(failing.code, 'It failed.');
      if (index >= heldFrom) await Promise.race([held, stopped]);
      yield { token: index, text: index === 0 ? word : ` ${word}`, index };
    }
    const timings = { queuedMs: 0, restoreMs: 0, prefillMs: 1, firstTokenMs: 2, totalMs: 3 };
    settle({
      text: words.join(' '),
      finishReason: words.length === request.maxTokens ? 'length' : 'stop',
      usage: {
        promptTokens: words.length,
        cachedTokens: 1,
        completionTokens: words.length,
        timings,
      },
    });
  }

  function generate(request: GenerateRequest): Generation {
    requests.push(request);
    const { promise, resolve, reject } = deferred<GenerationResult>();
    const tokens = run(request, resolve);
    let iterated = false;
    return {
      get result() {
        if (!iterated) void drain(tokens).catch(reject);
        return promise;
      },
      [Symbol.asyncIterator]() {
        iterated = true;
        return tokens;
      },
    };
  }

  const nothing = (): Promise<never> => Promise.reject(new Error('not asked for'));
  return {
    requests,
    failNext(code, afterTokens) {
      failure = { code, afterTokens };
    },
    hold(afterTokens = 0) {
      heldFrom = afterTokens;
      const { promise, resolve } = deferred<undefined>();
      held = promise;
      return () => resolve(undefined);
    },
    models: () => [{ ...model, name }],
    generate,
    tokenize: nothing,
    detokenize: nothing,
    template: nothing,
    flushed: () => Promise.resolve(),
    stats: () => fakeStats,
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** A promise that others settle; that it fails unseen is no error. */
function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((...both) => {
    [resolve, reject] = both;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}

async function drain(tokens: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of tokens) void _;
}
