/** The instances of an engine: as many as its load asks for, replaced when they die. */

import { type Spread, sumSpreads } from '../../base/buckets.ts';
import { CenoteError } from '../../errors.ts';
import type { Refusal } from '../api.ts';
import { refusals } from '../api.ts';
import { type CounterName, Counters } from '../state/counters.ts';
import type { Failure, InstanceModel, InstanceSetup } from '../worker/protocol.ts';
import type { ModelFile } from '../digest.ts';
import type { EngineConfig } from '../requests.ts';
import { Instance } from './instance.ts';
import { type Decision, decide } from './scaling.ts';

/** Instances that die before they are ready, one after the other: then it is not worth while to start more. */
const failedStartsMax = 3;
/** After so many, or one for a reason that seems to stay, the next is tried after this time, then after twice that, and so on. */
const retryLeastMs = 1000;
const retryMostMs = 60_000;

interface Member {
  readonly instance: Instance;
  readonly counters: Counters;
  idleSinceMs: number;
}

export interface CrewEvents {
  ready(model: InstanceModel): void;
  /** There may be room, or less to come. */
  changed(): void;
}

export class Crew {
  readonly #config: EngineConfig;
  readonly #file: ModelFile;
  readonly #events: CrewEvents;
  readonly #members = new Set<Member>();
  /** Told to end because they were idle: what waits in them is still written. */
  readonly #ending = new Set<Member>();
  /** What instances have counted that are no more. */
  readonly #past = new Counters();
  #started = 0;
  #lost = 0;
  #failedStarts = 0;
  #lastFailure: Failure | undefined;
  /** Infinity: nothing has failed that is not tried again at once. */
  #retryAtMs = Infinity;
  #retryWaitMs = retryLeastMs;
  #isClosing = false;

  constructor(config: EngineConfig, file: ModelFile, events: CrewEvents) {
    this.#config = config;
    this.#file = file;
    this.#events = events;
  }

  get size(): number {
    return this.#members.size;
  }

  get started(): number {
    return this.#started;
  }

  get lost(): number {
    return this.#lost;
  }

  get running(): number {
    let running = 0;
    for (const { instance } of this.#members) running += instance.running;
    return running;
  }

  /** Why no instance is being started now. */
  get failure(): CenoteError | undefined {
    if (this.#retryAtMs === Infinity) return undefined;
    const { code, message } = this.#lastFailure as Failure;
    return new CenoteError(code, message);
  }

  /** The ready instance with the least to do, or `preferred` if that has room; undefined when none has. */
  withRoom(preferred?: Instance): Instance | undefined {
    if (preferred?.hasRoom === true) return preferred;
    let best: Instance | undefined;
    for (const { instance } of this.#members) {
      if (instance.hasRoom && (best === undefined || instance.running < best.running)) {
        best = instance;
      }
    }
    return best;
  }

  /** Where a tenant's request may press for a place: only when there is no other way to get one, and what makes room is kept. */
  toPress(tenant: string): Instance | undefined {
    const { instancesMax, pool } = this.#config;
    if (pool === undefined || this.#members.size < instancesMax) return undefined;
    let best: Instance | undefined;
    for (const { instance } of this.#members) {
      if (instance.isStarting) return undefined;
      if (instance.mayPress(tenant) && !(best !== undefined && best.running <= instance.running)) {
        best = instance;
      }
    }
    return best;
  }

  /** Any that answers questions. */
  anyReady(): Instance | undefined {
    for (const { instance } of this.#members) if (instance.isReady) return instance;
    return undefined;
  }

  ready(): Instance[] {
    return Array.from(this.#members, ({ instance }) => instance).filter(({ isReady }) => isReady);
  }

  /** Starts or ends one where the load asks for it; after one that failed, when its time has come. @returns when to look again */
  scale(nowMs: number, waitingSinceMs: number | undefined): number {
    if (this.#isClosing) return Infinity;
    if (this.#retryAtMs > nowMs && this.#retryAtMs < Infinity) return this.#retryAtMs;
    this.#retryAtMs = Infinity;
    for (;;) {
      const { action, nextMs } = this.#decide(nowMs, waitingSinceMs);
      if (action === undefined) return nextMs;
      if (action === 'start') this.start();
      else this.#endOne();
    }
  }

  #decide(nowMs: number, waitingSinceMs: number | undefined): Decision {
    const { instancesMin, instancesMax, scaleUpAfterMs, idleAfterMs } = this.#config;
    let starting = 0;
    let idleSinceMs: number | undefined;
    for (const member of this.#members) {
      const { instance } = member;
      if (instance.isStarting) starting += 1;
      if (instance.running > 0) member.idleSinceMs = Infinity;
      else if (member.idleSinceMs === Infinity) member.idleSinceMs = nowMs;
      if (instance.isReady && instance.running === 0) {
        idleSinceMs = Math.min(idleSinceMs ?? Infinity, member.idleSinceMs);
      }
    }
    return decide({
      nowMs,
      starting,
      waitingSinceMs,
      idleSinceMs,
      scaleUpAfterMs,
      idleAfterMs,
      min: instancesMin,
      max: instancesMax,
      instances: this.#members.size,
    });
  }

  start(): void {
    const { modelPath, pool, contextTokens, sequences, batchTokens } = this.#config;
    const { kvType, exact, threads, keyringPath, salt, writeQueueBytes, timers } = this.#config;
    const counters = new Counters();
    const setup: InstanceSetup = {
      modelPath,
      contextTokens,
      sequences,
      batchTokens,
      kvType,
      exact,
      threads,
      keyringPath,
      salt,
      ...this.#file,
      handle: pool?.handle,
      writeQueueBytes,
      memory: counters.memory,
    };
    let isReady = false;
    const instance = new Instance(setup, pool, {
      ready: (model) => {
        isReady = true;
        this.#failedStarts = 0;
        this.#retryWaitMs = retryLeastMs;
        member.idleSinceMs = timers.nowMs();
        this.#events.ready(model);
      },
      freed: () => this.#events.changed(),
      ended: (failure) => this.#ended(member, failure, isReady),
    });
    const member: Member = { instance, counters, idleSinceMs: Infinity };
    this.#started += 1;
    this.#members.add(member);
  }

  #endOne(): void {
    let longest: Member | undefined;
    for (const member of this.#members) {
      const { instance, idleSinceMs } = member;
      if (!instance.isReady || instance.running > 0) continue;
      if (longest === undefined || idleSinceMs < longest.idleSinceMs) longest = member;
    }
    if (longest === undefined) return;
    this.#members.delete(longest);
    this.#ending.add(longest);
    void longest.instance.close();
  }

  #ended(member: Member, failure: Failure | undefined, wasReady: boolean): void {
    this.#members.delete(member);
    this.#ending.delete(member);
    this.#past.absorb(member.counters);
    if (failure !== undefined) {
      this.#lost += 1;
      this.#lastFailure = failure;
      if (!wasReady) this.#noteFailedStart(failure);
    }
    this.#events.changed();
  }

  #noteFailedStart({ code }: Failure): void {
    this.#failedStarts += 1;
    if (code === 'engine_worker_lost' && this.#failedStarts < failedStartsMax) return;
    this.#retryAtMs = this.#config.timers.nowMs() + this.#retryWaitMs;
    this.#retryWaitMs = Math.min(2 * this.#retryWaitMs, retryMostMs);
  }

  count(name: CounterName): number {
    return this.#sum((counters) => counters.read(name));
  }

  countRefused(): Record<Refusal, number> {
    const rows = refusals.map((reason) => {
      return [reason, this.#sum((counters) => counters.readRefused(reason))] as const;
    });
    return Object.fromEntries(rows) as Record<Refusal, number>;
  }

  batches(): Spread {
    return sumSpreads(this.#counters().map((counters) => counters.readBatches()));
  }

  #sum(read: (counters: Counters) => number): number {
    return this.#counters().reduce((sum, counters) => sum + read(counters), 0);
  }

  #counters(): Counters[] {
    const now = [...this.#members, ...this.#ending].map(({ counters }) => counters);
    return [this.#past, ...now];
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const all = [...this.#members, ...this.#ending];
    await Promise.all(all.map(({ instance }) => instance.close()));
  }
}
