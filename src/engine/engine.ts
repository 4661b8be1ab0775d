/** An engine: a bounded queue, fair to tenants, before instances that compute. */

import { Buckets } from '../base/buckets.ts';
import { Alarm } from '../base/timers.ts';
import { CenoteError, type ErrorCode, fail } from '../errors.ts';
import type {
  ChatMessage,
  EngineOptions,
  EngineStats,
  GeneratedToken,
  GenerateRequest,
  Generation,
  LlamaEngine,
  ModelInfo,
} from './api.ts';
import { DueHeap } from './batch/due-heap.ts';
import { FairQueue } from './batch/fair-queue.ts';
import { digestOf, type ModelFile } from './digest.ts';
import { AnswerStream } from './instances/answer-stream.ts';
import { type Asked, timed } from './instances/asked.ts';
import { Crew } from './instances/crew.ts';
import type { Instance } from './instances/instance.ts';
import { tryModel } from './llama/tried.ts';
import {
  configOf,
  type EngineConfig,
  messagesGiven,
  sessionOf,
  tokensGiven,
  workOf,
} from './requests.ts';
import { crewStats, timeBoundsMs } from './stats.ts';
import type { Answer, InstanceModel, Question } from './worker/protocol.ts';

/** Sessions whose instance is remembered. */
const sessionsMax = 10_000;
/** How far in the queue a tenant is looked for who has less than others. */
const pressingMax = 64;

class Engine implements LlamaEngine {
  readonly #config: EngineConfig;
  readonly #digest: string;
  readonly #crew: Crew;
  readonly #queue = new FairQueue<Asked>(1);
  readonly #deadlines = new DueHeap<Asked>();
  /** In the order in which they came. */
  readonly #waiting = new Set<Asked>();
  readonly #sessions = new Map<string, Instance>();
  readonly #alarm: Alarm;
  #firstReady: ((model: InstanceModel | CenoteError) => void) | undefined;
  #model: InstanceModel | undefined;
  readonly #waits = new Buckets(timeBoundsMs);
  readonly #firstTokens = new Buckets(timeBoundsMs);
  #nextId = 1;
  #requests = 0;
  #refused = 0;
  #cancelled = 0;
  #closing: Promise<void> | undefined;

  constructor(config: EngineConfig, file: ModelFile) {
    this.#config = config;
    this.#digest = file.digest;
    this.#alarm = new Alarm(config.timers, () => this.#turn());
    this.#crew = new Crew(config, file, {
      ready: (model) => {
        this.#model = model;
        this.#firstReady?.(model);
        this.#turn();
      },
      changed: () => this.#turn(),
    });
  }

  /** @throws why no instance can be started */
  async begin(): Promise<void> {
    const outcome = await new Promise<InstanceModel | CenoteError>((resolve) => {
      this.#firstReady = resolve;
      this.#turn();
    });
    this.#firstReady = undefined;
    if (!(outcome instanceof CenoteError)) return;
    await this.close();
    throw outcome;
  }

  models(): readonly ModelInfo[] {
    if (this.#model === undefined) return [];
    const { name, modelPath, kvType } = this.#config;
    return [{ name, path: modelPath, digest: this.#digest, kvType, ...this.#model }];
  }

  async tokenize(text: string, options: { readonly special?: boolean } = {}): Promise<Int32Array> {
    if (typeof text !== 'string') fail('invalid_argument', 'tokenize takes a text.');
    const special = options.special === true;
    return (await this.#ask({ ask: 'tokenize', text, special })) as Int32Array;
  }

  async detokenize(tokens: ArrayLike<number>): Promise<string> {
    return (await this.#ask({ ask: 'detokenize', tokens: tokensGiven(tokens) })) as string;
  }

  async template(messages: readonly ChatMessage[]): Promise<string> {
    return (await this.#ask({ ask: 'template', messages: messagesGiven(messages) })) as string;
  }

  async #ask(question: Question): Promise<Answer> {
    this.#checkOpen();
    const instance = this.#crew.anyReady();
    if (instance === undefined) fail('engine_busy', 'No instance is ready.');
    return instance.ask(question);
  }

  generate(request: GenerateRequest): Generation {
    this.#checkOpen();
    const work = workOf(request);
    const { signal, deadlineMs } = request;
    const stream = new AnswerStream(() => this.#cancel(asked, 'aborted', 'The caller left.'));
    const askedAtMs = this.#config.timers.nowMs();
    const asked: Asked = {
      id: this.#nextId++,
      work,
      session: sessionOf(request),
      stream,
      askedAtMs,
      startedAtMs: askedAtMs,
      instance: undefined,
      detach: () => undefined,
      tenant: work.tenant,
      cost: 1,
      lane: undefined,
      before: undefined,
      after: undefined,
      dueMs: Infinity,
      heapIndex: -1,
      dueTurn: 0,
    };
    this.#requests += 1;
    const refusal = this.#refusalOf(signal, deadlineMs);
    if (refusal !== undefined) {
      this.#refused += 1;
      stream.fail(refusal);
      return stream;
    }
    if (signal !== undefined) this.#watch(asked, signal);
    if (deadlineMs !== undefined) this.#deadlines.set(asked, deadlineMs);
    this.#queue.push(asked);
    this.#waiting.add(asked);
    this.#turn();
    return stream;
  }

  #refusalOf(
    signal: AbortSignal | undefined,
    deadlineMs: number | undefined,
  ): CenoteError | undefined {
    if (signal?.aborted === true)
      return new CenoteError('aborted', 'The signal was raised before.');
    if (deadlineMs !== undefined && !(deadlineMs > this.#config.timers.nowMs())) {
      return new CenoteError('engine_deadline', 'The deadline was over before.');
    }
    const { failure } = this.#crew;
    if (failure !== undefined && this.#crew.size === 0) return failure;
    const { queueMax } = this.#config;
    const isTaken = this.#crew.withRoom() === undefined || this.#queue.size > 0;
    if (!isTaken || this.#queue.size < queueMax) return undefined;
    return new CenoteError('engine_busy', `${this.#queue.size} requests wait already.`);
  }

  #watch(asked: Asked, signal: AbortSignal): void {
    const abort = (): void => {
      this.#cancel(asked, 'aborted', 'The caller cancelled this request.', signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    asked.detach = () => signal.removeEventListener('abort', abort);
  }

  /** Ends a request, wherever it is. */
  #cancel(asked: Asked, code: ErrorCode, message: string, cause?: unknown): void {
    if (asked.stream.isOver) return;
    this.#cancelled += 1;
    this.#queue.remove(asked);
    this.#leave(asked);
    asked.stream.fail(new CenoteError(code, message, cause === undefined ? undefined : { cause }));
    asked.instance?.cancel(asked.id);
    this.#turn();
  }

  /** It waits no more, and nothing can end it but its instance. */
  #leave(asked: Asked): void {
    asked.detach();
    this.#deadlines.delete(asked);
    this.#waiting.delete(asked);
  }

  /** Whatever can be done now: deadlines, free places, instances. */
  #turn(): void {
    const nowMs = this.#config.timers.nowMs();
    for (let late = this.#deadlines.take(nowMs); late; late = this.#deadlines.take(nowMs)) {
      this.#cancel(late, 'engine_deadline', 'The deadline is over.');
    }
    if (this.#closing !== undefined) return;
    for (let next = this.#next(); next !== undefined; next = this.#next()) this.#start(next, nowMs);
    const [first] = this.#waiting;
    const scaleMs = this.#crew.scale(nowMs, first?.askedAtMs);
    this.#alarm.set(Math.min(scaleMs, this.#deadlines.nextMs));
    if (this.#crew.failure !== undefined && this.#crew.size === 0) this.#giveUp();
  }

  /** Who can go to an instance now: whose turn it is, or somebody not far behind of a tenant who has less than others. */
  #next(): Asked | undefined {
    if (this.#queue.size === 0) return undefined;
    if (this.#crew.withRoom() !== undefined) return this.#queue.take();
    this.#queue.begin();
    for (let looked = 0; looked < pressingMax; looked++) {
      const asked = this.#queue.peek();
      if (asked === undefined) return undefined;
      if (this.#crew.toPress(asked.tenant) === undefined) continue;
      this.#queue.remove(asked);
      return asked;
    }
    return undefined;
  }

  #start(asked: Asked, nowMs: number): void {
    const { session, id, work, tenant } = asked;
    const known = session === undefined ? undefined : this.#sessions.get(session);
    const instance = this.#crew.withRoom(known) ?? this.#crew.toPress(tenant);
    if (instance === undefined)
      fail('engine_failed', 'A request was taken out of the queue for no instance.');
    if (session !== undefined) this.#remember(session, instance);
    asked.instance = instance;
    asked.startedAtMs = nowMs;
    this.#waiting.delete(asked);
    this.#waits.record(nowMs - asked.askedAtMs);
    instance.start(id, work, {
      tenant,
      token: (token) => this.#say(asked, token),
      done: (result) => {
        this.#leave(asked);
        asked.stream.finish(timed(asked, result));
      },
      failed: (error) => {
        this.#leave(asked);
        asked.stream.fail(error);
      },
    });
  }

  #say({ stream, askedAtMs }: Asked, token: GeneratedToken): void {
    if (token.index === 0) this.#firstTokens.record(this.#config.timers.nowMs() - askedAtMs);
    stream.push(token);
  }

  /** The one used longest ago is forgotten. */
  #remember(session: string, instance: Instance): void {
    this.#sessions.delete(session);
    this.#sessions.set(session, instance);
    if (this.#sessions.size <= sessionsMax) return;
    for (const oldest of this.#sessions.keys()) {
      this.#sessions.delete(oldest);
      return;
    }
  }

  /** No instance is there, and none will be for a while. */
  #giveUp(): void {
    const error = this.#crew.failure as CenoteError;
    this.#firstReady?.(error);
    this.#refuseWaiting(error);
  }

  #refuseWaiting(error: CenoteError): void {
    for (let asked = this.#queue.take(); asked !== undefined; asked = this.#queue.take()) {
      this.#leave(asked);
      this.#refused += 1;
      asked.stream.fail(error);
    }
  }

  async flushed(): Promise<void> {
    this.#checkOpen();
    await Promise.all(this.#crew.ready().map((instance) => instance.ask({ ask: 'flush' })));
  }

  stats(): EngineStats {
    return {
      ...crewStats(this.#crew),
      queued: this.#queue.size,
      requests: this.#requests,
      refused: this.#refused,
      cancelled: this.#cancelled,
      waits: this.#waits.read(),
      firstTokens: this.#firstTokens.read(),
    };
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) fail('engine_closed', 'This engine was closed.');
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#alarm.set(Infinity);
    this.#refuseWaiting(new CenoteError('engine_closed', 'This engine was closed.'));
    await this.#crew.close();
    this.#alarm.set(Infinity);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Opens a model for use. Resolves when the first instance is ready.
 *
 * @throws engine_missing, engine_incompatible, engine_model_invalid, engine_failed, platform_unsupported, invalid_argument
 * @example
 * const engine = await openEngine({ modelPath: './model.gguf', pool: await openPool() });
 * for await (const { text } of engine.generate({ prompt: 'Call me' })) process.stdout.write(text);
 */
export async function openEngine(options: EngineOptions): Promise<LlamaEngine> {
  const config = configOf(options);
  const { modelPath, kvType } = config;
  const [file] = await Promise.all([digestOf(modelPath), tryModel(modelPath, kvType)]);
  const engine = new Engine(config, file);
  await engine.begin();
  return engine;
}
