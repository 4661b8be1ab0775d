/** A sequence batcher to which anything may happen, looked at after every step. */

import { deepStrictEqual as same, ok } from 'node:assert/strict';
import type { SequenceBatcherStats, SequenceSubmit } from '../../../src/engine/batch/api.ts';
import { SequenceWorld, type NoteStep, type Options } from './sequence-world.ts';
import { fc } from '../../support/properties.ts';

export const anyOptions: fc.Arbitrary<Partial<Options>> = fc.record({
  strategy: fc.oneof(
    fc.record({
      kind: fc.constant('direct' as const),
      queueDelayMs: fc.constantFrom(0, 4),
      slotUtilizationMin: fc.constantFrom(0, 0.5, 1),
    }),
    fc.record({
      kind: fc.constant('oldest' as const),
      candidatesMax: fc.integer({ min: 1, max: 4 }),
      queueDelayMs: fc.constantFrom(0, 4),
      preserveOrdering: fc.boolean(),
    }),
  ),
  batchMax: fc.integer({ min: 1, max: 3 }),
  instances: fc.integer({ min: 1, max: 2 }),
  idleMs: fc.integer({ min: 5, max: 30 }),
  backlogTimeoutMs: fc.constantFrom(Infinity, 15),
  sequencesMax: fc.integer({ min: 1, max: 8 }),
  tenantSequencesMax: fc.integer({ min: 1, max: 8 }),
  tenantQueueMax: fc.integer({ min: 1, max: 12 }),
  queueMax: fc.integer({ min: 2, max: 12 }),
  sequenceQueueMax: fc.integer({ min: 1, max: 4 }),
});

interface Deed {
  readonly deed: 'submit' | 'finish' | 'advance' | 'cancel' | 'fail';
  readonly which: number;
  readonly id: string;
  readonly tenant: string;
  readonly start: boolean;
  readonly end: boolean;
  readonly ms: number;
  readonly deadlineMs: number;
}

export const anyDeed: fc.Arbitrary<Deed> = fc.record({
  deed: fc.constantFrom(
    ...([
      'submit',
      'submit',
      'submit',
      'submit',
      'finish',
      'finish',
      'advance',
      'cancel',
      'fail',
    ] as const),
  ),
  which: fc.nat(40),
  id: fc.constantFrom('p', 'q', 'r'),
  tenant: fc.constantFrom('', 'a'),
  start: fc.boolean(),
  end: fc.boolean(),
  ms: fc.integer({ min: 1, max: 12 }),
  deadlineMs: fc.oneof(
    { weight: 4, arbitrary: fc.constant(Infinity) },
    fc.integer({ min: 1, max: 20 }),
  ),
});

type Ready = NoteStep & { ready: true };

const sumOf = (numbers: Readonly<Record<string, number>>): number =>
  Object.values(numbers).reduce((sum, each) => sum + each, 0);

export class RandomSequences {
  readonly #world: SequenceWorld;
  readonly #slots: number;
  readonly #giveUps: AbortController[] = [];
  /** Life and number of the last request of each sequence. */
  readonly #last = new Map<string, readonly [life: number, number: number]>();
  #lives = 0;
  #submitted = 0;

  constructor(options: Partial<Options>) {
    this.#world = new SequenceWorld(options);
    const { strategy, batchMax = 0, instances = 1 } = options;
    this.#slots = (strategy?.kind === 'oldest' ? strategy.candidatesMax : batchMax) * instances;
  }

  async perform(deed: Deed): Promise<void> {
    const { time, model } = this.#world;
    if (deed.deed === 'submit') await this.#submit(deed);
    else if (deed.deed === 'advance') await time.advance(deed.ms);
    else if (deed.deed === 'cancel') this.#giveUps[deed.which % this.#giveUps.length]?.abort();
    else if (model.running.length === 0) return;
    else if (deed.deed === 'fail') model.fail(new Error('broken'));
    else this.#finish(deed.which);
    await time.settle();
    this.#check();
  }

  async #submit({ id, tenant, start, end, deadlineMs }: Deed): Promise<void> {
    const world = this.#world;
    const key = `${tenant}/${id}`;
    const before = this.#last.get(key);
    const [life, number] = before ?? [0, -1];
    const next: readonly [number, number] = start ? [(this.#lives += 1), 0] : [life, number + 1];
    this.#last.set(key, next);
    const giveUp = new AbortController();
    this.#giveUps.push(giveUp);
    const flags: Partial<SequenceSubmit> = { tenant, signal: giveUp.signal };
    const limits = { ...flags, start, end, deadlineMs: world.time.nowMs() + deadlineMs };
    const { refused } = world.batcher.stats();
    this.#submitted += 1;
    world.submit(id, `${key}/${next.join('/')}`, limits);
    await world.time.settle();
    // Who was refused has changed nothing.
    if (world.batcher.stats().refused === refused) return;
    if (before === undefined) this.#last.delete(key);
    else this.#last.set(key, before);
  }

  #finish(which: number): void {
    const { model } = this.#world;
    const { batch, instance } = model.running[which % model.running.length]!;
    for (const step of batch) if (step.ready) note(step);
    model.finish(undefined, instance);
  }

  #check(): void {
    const { batcher, model } = this.#world;
    const stats = batcher.stats();
    same(stats.accepted, overOf(stats) + stats.queued + stats.running);
    same(stats.accepted + stats.refused, this.#submitted);
    ok(Math.min(stats.queued, stats.running, stats.backlog, stats.live) >= 0);
    ok(stats.slotsTaken <= this.#slots);
    ok(stats.begun - sumOf(stats.ended) <= stats.slotsTaken);
    // Whoever runs has a slot and a state of its own, and the state has not been given up.
    const steps = model.running.flatMap(({ batch, instance }) =>
      batch.filter((step): step is Ready => step.ready).map((step) => ({ step, instance })),
    );
    same(new Set(steps.map(({ step }) => step.state)).size, steps.length);
    const places = steps.map(({ step, instance }) => `${instance}/${step.slot}`);
    same(new Set(places).size, steps.length);
    ok(!steps.some(({ step }) => step.state.isOver));
  }

  /** Everything ends by itself. */
  async finishAll(): Promise<void> {
    const { batcher, model, time } = this.#world;
    for (let i = 0; i < 200; i++) {
      while (model.running.length > 0) {
        this.#finish(0);
        await time.settle();
        this.#check();
      }
      if (batcher.stats().slotsTaken === 0) break;
      await time.advance(40);
    }
    const none = { queued: 0, running: 0, live: 0, backlog: 0, slotsTaken: 0 };
    const stats = batcher.stats();
    same({ ...stats, ...none }, stats);
    same(stats.begun, sumOf(stats.ended));
    same(this.#world.told.length, this.#submitted);
    same(time.nextMs, Infinity);
  }
}

const overOf = ({ completed, failed, expired, cancelled }: SequenceBatcherStats): number =>
  completed + failed + expired + cancelled;

/** A step writes itself down in a state that has seen all before it in its life, and nothing else. */
function note(step: Ready): void {
  const at = step.input.lastIndexOf('/');
  const [life, number] = [step.input.slice(0, at), Number(step.input.slice(at + 1))];
  const expected = Array.from({ length: number }, (_, i) => `${life}/${i}`);
  same(step.state.seen, expected);
  same(step.start, number === 0);
  same(life.startsWith(`${step.tenant}/${step.id}/`), true);
  step.state = { seen: [...expected, step.input], isOver: false };
}
