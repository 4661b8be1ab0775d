/** A continuous batcher to which anything may happen, looked at after every step. */

import { deepStrictEqual as same, match } from 'node:assert/strict';
import type { ContinuousOptions } from '../../../src/engine/batch/continuous-api.ts';
import { TokenWorld, undisturbed } from './token-world.ts';
import { fc } from '../../support/properties.ts';

type Options = Omit<ContinuousOptions<string>, 'model' | 'timers'> & {
  readonly contextTokens: number;
};

export const anyOptions: fc.Arbitrary<Options> = fc.record({
  slots: fc.integer({ min: 1, max: 4 }),
  stepTokens: fc.integer({ min: 4, max: 12 }),
  chunkTokens: fc.integer({ min: 1, max: 6 }),
  capacityTokens: fc.constantFrom(Infinity, 40, 60),
  contextTokens: fc.constantFrom(20, 40),
  sliceSteps: fc.constantFrom(1, 3, Infinity),
  queueMax: fc.integer({ min: 1, max: 10 }),
  tenantQueueMax: fc.integer({ min: 1, max: 6 }),
});

interface Deed {
  readonly deed: 'submit' | 'step' | 'cancel' | 'advance' | 'fail';
  readonly which: number;
  readonly tenant: string;
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  readonly deadlineMs: number;
}

export const anyDeed: fc.Arbitrary<Deed> = fc.record({
  deed: fc.constantFrom(
    ...([
      'submit',
      'submit',
      'submit',
      'step',
      'step',
      'step',
      'step',
      'cancel',
      'advance',
      'fail',
    ] as const),
  ),
  which: fc.nat(40),
  tenant: fc.constantFrom('', 'a', 'b', 'c'),
  prompt: fc.array(fc.nat(5), { minLength: 1, maxLength: 22 }),
  maxTokens: fc.integer({ min: 1, max: 12 }),
  deadlineMs: fc.oneof(
    { weight: 4, arbitrary: fc.constant(Infinity) },
    fc.integer({ min: 1, max: 9 }),
  ),
});

export class RandomRuns {
  readonly #world: TokenWorld;
  readonly #contextTokens: number;
  readonly #asked: { readonly deed: Deed; readonly giveUp: AbortController }[] = [];

  constructor(options: Options) {
    this.#world = new TokenWorld(options);
    this.#contextTokens = options.contextTokens;
  }

  async perform(deed: Deed): Promise<void> {
    const world = this.#world;
    if (deed.deed === 'submit') this.#submit(deed);
    else if (deed.deed === 'step') await world.run(1);
    else if (deed.deed === 'advance') await world.time.advance(2);
    else if (deed.deed === 'fail') world.failNext(new Error('broken'));
    else this.#asked[deed.which % this.#asked.length]?.giveUp.abort();
    await world.time.settle();
    this.#check();
  }

  #submit(deed: Deed): void {
    const { tenant, prompt, maxTokens } = deed;
    const giveUp = new AbortController();
    const deadlineMs = this.#world.time.nowMs() + deed.deadlineMs;
    const more = { tenant, maxTokens, deadlineMs, signal: giveUp.signal };
    this.#world.submit(`${this.#asked.length}`, prompt, more);
    this.#asked.push({ deed, giveUp });
  }

  #check(): void {
    const { told, answers, batcher } = this.#world;
    const stats = batcher.stats();
    const over = stats.finished + stats.failed + stats.expired + stats.cancelled;
    same(stats.accepted, over + stats.waiting + stats.running);
    same(stats.accepted + stats.refused, this.#asked.length);
    // The only error of the model is the one that was asked for: no slot had the state of another.
    for (const word of told) match(word, /^[0-9]+(: (Error: broken|[a-z_]+))?$/);
    for (const [name, answer] of answers) {
      const { prompt, maxTokens } = this.#asked[Number(name)]!.deed;
      const count = Math.min(maxTokens, this.#contextTokens - prompt.length);
      same(answer, undisturbed(prompt, count));
    }
  }

  async finishAll(): Promise<void> {
    const world = this.#world;
    await world.run();
    this.#check();
    const { waiting, running, slotsTaken } = world.batcher.stats();
    same([waiting, running, slotsTaken], [0, 0, 0]);
    same(world.told.length, this.#asked.length);
    same(world.time.nextMs, Infinity);
  }
}
