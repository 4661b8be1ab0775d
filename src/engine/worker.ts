/** The thread of an instance: a model, a context, and the pool that their state is kept in. */

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { openKeyring } from '../codec/keyring.ts';
import { fail } from '../errors.ts';
import { threadMappings } from '../memory/thread-mappings.ts';
import type { Pool } from '../pool/api.ts';
import { openPool } from '../pool/open.ts';
import { checkStamp } from './digest.ts';
import { LlamaContext } from './llama/context.ts';
import { foreign } from './llama/foreign.ts';
import { LlamaModel } from './llama/model.ts';
import { Counters } from './state/counters.ts';
import { StateKeeper } from './state/keeper.ts';
import { parseState, type RowShape } from './state/rows.ts';
import type {
  Answer,
  FromInstance,
  InstanceSetup,
  Question,
  ToInstance,
} from './worker/protocol.ts';
import { failureOf, Sequencer } from './worker/sequencer.ts';

/** Where nothing else is said: as long as the model was trained for, and no longer. */
const contextTokensDefault = 4096;

class Instance {
  readonly #port: MessagePort;
  readonly #setup: InstanceSetup;
  readonly #model: LlamaModel;
  readonly #context: LlamaContext;
  readonly #pool: Pool | undefined;
  readonly #keeper: StateKeeper | undefined;
  readonly #sequencer: Sequencer;
  /** Questions that wait until all state is written. */
  readonly #flushing: number[] = [];
  #isWriting = false;

  constructor(port: MessagePort, setup: InstanceSetup, pool: Pool | undefined) {
    this.#port = port;
    this.#setup = setup;
    this.#pool = pool;
    // The file that was tried, before it is loaded and after it was.
    checkStamp(setup.modelPath, setup.stamp);
    this.#model = new LlamaModel(setup.modelPath);
    checkStamp(setup.modelPath, setup.stamp);
    const { sequences, batchTokens, kvType, exact, threads } = setup;
    const contextTokens =
      setup.contextTokens ?? Math.min(this.#model.trainedTokens, contextTokensDefault);
    const shape = { contextTokens, sequences, batchTokens, kvType, exact, threads };
    this.#context = new LlamaContext(this.#model, shape);
    this.#post({
      type: 'holds',
      held: { context: this.#context.address, model: this.#model.address },
    });
    const rows = this.#model.isPaged ? rowShapeOf(this.#context) : undefined;
    const counters = new Counters(setup.memory);
    this.#keeper = rows && pool && this.#keeperOf(rows, pool, counters);
    this.#sequencer = new Sequencer({
      model: this.#model,
      context: this.#context,
      keeper: this.#keeper,
      counters,
      post: (message) => this.#post(message),
      wake: () => this.#wake(),
      nowMs: () => performance.now(),
    });
    this.#post({
      type: 'ready',
      model: {
        description: this.#model.description,
        parameters: this.#model.parameters,
        vocabulary: this.#model.vocabulary,
        layers: this.#model.layers,
        trainedTokens: this.#model.trainedTokens,
        contextTokens,
        tokenBytes: rows?.tokenBytes ?? 0,
        hasTemplate: this.#model.chatTemplate !== undefined,
      },
    });
  }

  #keeperOf(shape: RowShape, pool: Pool, counters: Counters): StateKeeper {
    const { digest, exact, salt, writeQueueBytes } = this.#setup;
    const libraryVersion = foreign().version;
    const model = { digest, libraryVersion, flashAttention: true, exact, shape };
    return new StateKeeper({ pool, model, salt, writeQueueBytes, counters });
  }

  async take(message: ToInstance): Promise<void> {
    if (message.type === 'work') await this.#sequencer.start(message.id, message.work);
    else if (message.type === 'cancel') this.#sequencer.cancel(message.id);
    else if (message.type === 'question') this.#ask(message.id, message.question);
    else await this.#close();
    this.#wake();
  }

  #ask(id: number, question: Question): void {
    if (question.ask === 'flush') {
      this.#flushing.push(id);
      return;
    }
    try {
      this.#post({ type: 'answer', id, answer: this.#answer(question) });
    } catch (error) {
      this.#post({ type: 'failed', id, failure: failureOf(error) });
    }
  }

  #answer(question: Exclude<Question, { ask: 'flush' }>): Answer {
    const model = this.#model;
    if (question.ask === 'tokenize') return model.tokenize(question.text, question.special);
    if (question.ask === 'detokenize') return model.detokenize(question.tokens);
    return model.template(question.messages);
  }

  /** Writes state as long as some waits, a block at a time: between two of them messages are taken, and sequences go on. */
  #wake(): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    setImmediate(() => {
      this.#isWriting = false;
      if (this.#keeper?.step() === true) this.#wake();
      else if (this.#sequencer.isSettled) this.#sayFlushed();
    });
  }

  #sayFlushed(): void {
    for (const id of this.#flushing.splice(0)) {
      this.#post({ type: 'answer', id, answer: undefined });
    }
  }

  async #close(): Promise<void> {
    await this.#sequencer.close();
    while (this.#keeper?.step() === true);
    this.#post({ type: 'holds', held: undefined });
    this.#context.close();
    this.#model.close();
    await this.#pool?.close();
    this.#port.close();
  }

  #post(message: FromInstance): void {
    this.#port.postMessage(message);
  }
}

/** Computes one token and looks how its state lies; undefined when it cannot be cut. */
function rowShapeOf(context: LlamaContext): RowShape | undefined {
  context.begin();
  context.add(0, 0, 0, false);
  context.compute();
  const state = context.saveState(0);
  context.remove(0);
  return state && parseState(state)?.shape;
}

async function begin(port: MessagePort, setup: InstanceSetup): Promise<void> {
  try {
    const { handle, keyringPath } = setup;
    const keys = keyringPath === undefined ? {} : { keyProvider: openKeyring(keyringPath) };
    port.postMessage({ type: 'maps', mappings: threadMappings() } satisfies FromInstance);
    const pool = handle === undefined ? undefined : await openPool({ handle, ...keys });
    const instance = new Instance(port, setup, pool);
    port.on('message', (message: ToInstance) => {
      instance.take(message).catch((error: unknown) => end(port, error));
    });
  } catch (error) {
    end(port, error);
  }
}

function end(port: MessagePort, error: unknown): void {
  port.postMessage({ type: 'broken', failure: failureOf(error) } satisfies FromInstance);
  port.close();
}

if (parentPort === null) fail('engine_failed', 'This file is the thread of an instance.');
void begin(parentPort, workerData as InstanceSetup);
