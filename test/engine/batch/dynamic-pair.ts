/** A dynamic batcher and its oracle, to which the same is done. */

import { deepStrictEqual as same } from 'node:assert/strict';
import {
  DynamicOracle,
  type OraclePolicy,
  type OracleRequest,
  type OracleShape,
} from './dynamic-oracle.ts';
import { DynamicWorld } from './dynamic-world.ts';
import { fc } from '../../support/properties.ts';

const sometimes = (max: number): fc.Arbitrary<number> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(Infinity) }, fc.integer({ min: 1, max }));

const anyPolicy: fc.Arbitrary<OraclePolicy> = fc.record({
  timeoutMs: sometimes(12),
  timeoutAction: fc.constantFrom('reject' as const, 'delay' as const),
  allowTimeoutOverride: fc.boolean(),
  queueMax: fc.integer({ min: 1, max: 12 }),
  tenantQueueMax: fc.integer({ min: 1, max: 12 }),
});

export const anyShape: fc.Arbitrary<OracleShape> = fc
  .record({
    batchMax: fc.integer({ min: 1, max: 8 }),
    preferred: fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { maxLength: 2 }),
    queueDelayMs: fc.constantFrom(0, 0, 3, 7),
    instances: fc.integer({ min: 1, max: 3 }),
    fairRows: fc.integer({ min: 1, max: 4 }),
    policies: fc.array(anyPolicy, { minLength: 1, maxLength: 3 }),
  })
  .map((shape) => ({
    ...shape,
    preferred: shape.preferred.filter((size) => size <= shape.batchMax),
  }));

interface Deed {
  readonly deed: 'submit' | 'advance' | 'finish' | 'cancel';
  readonly which: number;
  readonly rows: number;
  readonly tenant: string;
  readonly ms: number;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
}

export const anyDeed: fc.Arbitrary<Deed> = fc.record({
  deed: fc.constantFrom('submit', 'submit', 'submit', 'advance', 'finish', 'cancel'),
  which: fc.nat(40),
  rows: fc.integer({ min: 1, max: 3 }),
  tenant: fc.constantFrom<string>('', 'a', 'b'),
  ms: fc.integer({ min: 1, max: 5 }),
  timeoutMs: sometimes(9),
  deadlineMs: sometimes(25),
});

export class Pair {
  readonly world: DynamicWorld;
  readonly oracle: DynamicOracle;
  readonly #shape: OracleShape;
  readonly #known: { readonly request: OracleRequest; readonly giveUp: AbortController }[] = [];

  constructor(shape: OracleShape) {
    this.#shape = shape;
    this.oracle = new DynamicOracle(shape);
    const { preferred: preferredBatchSizes, policies, ...rest } = shape;
    this.world = new DynamicWorld({
      ...rest,
      preferredBatchSizes,
      priorityLevels: policies.length,
      priorityQueuePolicies: Object.fromEntries(policies.map((each, i) => [i + 1, each])),
    });
  }

  async perform({ deed, which, ms, ...more }: Deed): Promise<void> {
    const { world, oracle } = this;
    if (deed === 'submit') this.#submit(which, more);
    else if (deed === 'advance') await this.advance(ms);
    else if (deed === 'finish') this.#finish(which);
    else this.#cancel(which);
    oracle.look();
    await world.time.settle();
    this.#compare();
  }

  async advance(ms: number): Promise<void> {
    for (let i = 0; i < ms; i++) {
      this.oracle.nowMs += 1;
      this.oracle.look();
    }
    await this.world.time.advance(ms);
  }

  #submit(which: number, more: Pick<Deed, 'rows' | 'tenant' | 'timeoutMs' | 'deadlineMs'>): void {
    const { policies, batchMax } = this.#shape;
    const giveUp = new AbortController();
    const { nowMs } = this.oracle;
    const request = {
      ...more,
      name: String.fromCodePoint(0x4e00 + this.#known.length),
      rows: Math.min(more.rows, batchMax),
      level: 1 + (which % policies.length),
      arrivedMs: nowMs,
      deadlineMs: nowMs + more.deadlineMs,
      isLate: false,
    };
    this.#known.push({ request, giveUp });
    this.oracle.submit(request);
    const { tenant, rows, level: priority, timeoutMs: queueTimeoutMs, deadlineMs } = request;
    const options = { tenant, rows, priority, queueTimeoutMs, deadlineMs, signal: giveUp.signal };
    this.world.submit(request.name, options);
  }

  #finish(which: number): void {
    const { running } = this.world.model;
    if (running.length === 0) return;
    const { instance } = running[which % running.length]!;
    this.world.model.finish(undefined, instance);
    this.oracle.finish(instance);
  }

  #cancel(which: number): void {
    const known = this.#known[which % Math.max(1, this.#known.length)];
    if (known === undefined || known.giveUp.signal.aborted) return;
    this.oracle.cancel(known.request);
    known.giveUp.abort();
  }

  #compare(): void {
    const { world, oracle } = this;
    same(
      world.batches,
      oracle.batches.map((each) => each.slice(3).replaceAll(' ', '')),
    );
    same(world.told.toSorted(), oracle.told.toSorted());
    const stats = world.batcher.stats();
    same(stats.queued, oracle.queued.length);
    same(stats.idleInstances, oracle.running.filter((batch) => !batch).length);
    const { accepted, completed, failed, expired, cancelled, queued, running } = stats;
    same(completed + failed + expired + cancelled + queued + running, accepted);
  }

  /** Nothing is left queued for ever. */
  async finishAll(): Promise<void> {
    while (this.world.model.running.length > 0) {
      await this.perform({ ...idle, deed: 'finish' });
      await this.perform({ ...idle, deed: 'advance', ms: 8 });
    }
    const { queued, running } = this.world.batcher.stats();
    same([queued, running], [0, 0]);
    same(this.world.told.length, this.#known.length);
    same(this.world.time.nextMs, Infinity);
  }
}

export const idle: Omit<Deed, 'deed'> = {
  which: 0,
  rows: 1,
  tenant: '',
  ms: 0,
  timeoutMs: Infinity,
  deadlineMs: Infinity,
};
