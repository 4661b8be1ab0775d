/** The workers of a server, as the process sees them that has started them. */

import cluster, { type Worker } from 'node:cluster';
import { CenoteError, errorTable, type ErrorCode } from '../errors.ts';
import { workersMax, type SharedUsage } from '../guard/shared-usage.ts';
import { pastOf, type ServerNumbers } from '../server/numbers.ts';
import { printLine, type Io } from './io.ts';
import type { Listening } from './serve-announce.ts';
import { watchHandover } from './serve-handover.ts';
import { gatherMs, workerVariable, type FromWorker, type ToWorker } from './serve-messages.ts';
import { stopDeadlineMs } from './serve-process.ts';

/** A worker that dies sooner than this is not replaced at once, but after a pause that doubles each time. */
const livesMs = 5_000;
const pauseMs = 200;
const pauseMaxMs = 30_000;
/** Beyond its own deadline. */
const stopSlackMs = 2_000;

interface Member {
  readonly number: number;
  readonly worker: Worker;
  readonly startedMs: number;
  readonly gone: Promise<void>;
  /** Ends when it listens, or never will. */
  starting: Promise<unknown>;
  isListening: boolean;
  /** Its successor is on the way. */
  isReplaced: boolean;
  /** It was told to stop. */
  isLeaving: boolean;
  numbers: ServerNumbers | undefined;
}

interface Gathering {
  readonly waitingFor: Set<Member>;
  readonly done: (all: readonly ServerNumbers[] | undefined) => void;
}

export class Team {
  readonly #shared: SharedUsage;
  readonly #io: Io;
  readonly #members = new Map<number, Member>();
  readonly #gatherings = new Map<number, Gathering>();
  /** What those have counted that are gone. */
  #past: ServerNumbers[] = [];
  #asked = 0;
  #failures = 0;
  #cutConnections = 0;
  #isStopping = false;
  #replacing: Promise<void> = Promise.resolve();

  constructor(shared: SharedUsage, io: Io) {
    this.#shared = shared;
    this.#io = io;
  }

  /** @returns where they listen @throws what the first of them could not do */
  async start(count: number): Promise<Listening> {
    const starting = Array.from({ length: count }, () => this.#fork());
    const [first] = await Promise.all(starting);
    return first as Listening;
  }

  /** Replaces each worker by a new one, which listens before the old one is told to stop. */
  replaceAll(): Promise<void> {
    this.#replacing = this.#replaceAfter(this.#replacing);
    return this.#replacing;
  }

  /** @returns connections that were cut */
  async stop(): Promise<number> {
    this.#isStopping = true;
    await Promise.all([...this.#members.values()].map((member) => this.#leave(member)));
    return this.#cutConnections;
  }

  /** Ends those that are left at once. */
  kill(): void {
    this.#isStopping = true;
    for (const { worker } of this.#members.values()) worker.process.kill('SIGKILL');
  }

  async #replaceAfter(previous: Promise<void>): Promise<void> {
    try {
      await previous;
    } catch {} // told to whoever asked for it
    for (const member of Array.from(this.#members.values())) {
      await member.starting;
      if (this.#isStopping || !this.#isHere(member)) continue;
      await this.#succeed(member);
      await this.#leave(member);
    }
  }

  /** Starts another in its place. Should it die meanwhile, that is the one that takes it. */
  async #succeed(member: Member): Promise<void> {
    member.isReplaced = true;
    try {
      await this.#fork();
    } catch (error) {
      member.isReplaced = false;
      if (!this.#isHere(member)) this.#replaceLost();
      throw error;
    }
  }

  /** False once it is gone, also where another one has its number. */
  #isHere(member: Member): boolean {
    return this.#members.get(member.number) === member;
  }

  async #leave(member: Member): Promise<void> {
    member.isLeaving = true;
    send(member, { type: 'stop' });
    const timer = setTimeout(
      () => member.worker.process.kill('SIGKILL'),
      stopDeadlineMs + stopSlackMs,
    );
    await member.gone;
    clearTimeout(timer);
  }

  /** Starts a worker. @returns where it listens, once it does */
  #fork(): Promise<Listening> {
    const number = this.#freeNumber();
    const worker = cluster.fork({ [workerVariable]: String(number) });
    watchHandover(worker);
    const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const startedMs = this.#io.clock.nowMs();
    const member: Member = {
      number,
      worker,
      startedMs,
      gone,
      starting: gone,
      isListening: false,
      isReplaced: false,
      isLeaving: false,
      numbers: undefined,
    };
    this.#members.set(number, member);
    const starting = new Promise<Listening>((resolve, reject) => {
      worker.on('error', reject);
      worker.on('message', (message: FromWorker) => {
        if (message.type === 'listening') {
          member.isListening = true;
          // What it was told before it could hear is told again.
          if (member.isLeaving) send(member, { type: 'stop' });
          resolve(message.at);
        } else if (message.type === 'failed') reject(errorOf(message.code, message.message));
        else this.#take(member, message);
      });
      worker.once('exit', (code, signal) => {
        const how = signal ?? `exit code ${code}`;
        reject(new CenoteError('shutting_down', `A worker ended before it listened: ${how}.`));
        this.#lost(member, how);
      });
    });
    member.starting = starting.catch(() => {});
    return starting;
  }

  /** None that a living worker has; 0 is this process. */
  #freeNumber(): number {
    for (let number = 1; number < workersMax; number++) {
      if (!this.#members.has(number)) return number;
    }
    throw new CenoteError('overloaded', `There are ${workersMax - 1} workers already.`);
  }

  #take(member: Member, message: Exclude<FromWorker, { type: 'listening' | 'failed' }>): void {
    switch (message.type) {
      case 'gather':
        this.#gather((all) => {
          send(member, { type: 'gathered', id: message.id, ...(all !== undefined && { all }) });
        });
        return;
      case 'numbers':
        member.numbers = message.numbers;
        this.#answered(message.id, member);
        return;
      case 'stopped':
        member.numbers = message.numbers;
        this.#cutConnections += message.cutConnections;
    }
  }

  #gather(done: Gathering['done']): void {
    const id = ++this.#asked;
    const waitingFor = new Set([...this.#members.values()].filter(isServing));
    const timer = setTimeout(() => {
      this.#gatherings.delete(id);
      done(undefined);
    }, gatherMs);
    this.#gatherings.set(id, {
      waitingFor,
      done: (all) => {
        clearTimeout(timer);
        this.#gatherings.delete(id);
        done(all);
      },
    });
    for (const member of waitingFor) send(member, { type: 'tell', id });
  }

  #answered(id: number, member: Member): void {
    const gathering = this.#gatherings.get(id);
    if (gathering === undefined) return;
    gathering.waitingFor.delete(member);
    if (gathering.waitingFor.size > 0) return;
    const all = [...this.#members.values()].flatMap(({ numbers }) => numbers ?? []);
    gathering.done([...all, ...this.#past]);
  }

  /** A worker is gone. Where nobody has asked it to, another takes its place. */
  #lost(member: Member, how: string): void {
    this.#members.delete(member.number);
    this.#shared.clear(member.number);
    if (member.numbers !== undefined) this.#past = pastOf([...this.#past, member.numbers]);
    for (const id of this.#gatherings.keys()) this.#answered(id, member);
    if (this.#isStopping || member.isLeaving || !member.isListening) return;
    if (member.isReplaced) return;
    const livedMs = this.#io.clock.nowMs() - member.startedMs;
    this.#failures = livedMs < livesMs ? this.#failures + 1 : 0;
    const waitMs =
      this.#failures === 0 ? 0 : Math.min(pauseMaxMs, pauseMs * 2 ** (this.#failures - 1));
    const pid = member.worker.process.pid;
    printLine(this.#io.stderr, `worker ${pid} is gone (${how}): another takes its place`);
    setTimeout(() => this.#replaceLost(), waitMs);
  }

  #replaceLost(): void {
    if (this.#isStopping) return;
    this.#fork().catch((error: unknown) => {
      printLine(this.#io.stderr, `a worker could not start: ${String(error)}`);
      this.#failures++;
      setTimeout(() => this.#replaceLost(), Math.min(pauseMaxMs, pauseMs * 2 ** this.#failures));
    });
  }
}

function isServing({ isListening, worker }: Member): boolean {
  return isListening && worker.isConnected();
}

function send({ worker }: Member, message: ToWorker): void {
  // One that is just dying takes no message: its end is told by itself.
  if (worker.isConnected()) worker.send(message, () => {});
}

function errorOf(code: string | undefined, message: string): Error {
  const isKnown = code !== undefined && Object.hasOwn(errorTable, code);
  return isKnown ? new CenoteError(code as ErrorCode, message) : new Error(message);
}
