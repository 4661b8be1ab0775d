/**
 * Random arrivals of many tenants, callers who give up, deadlines, steps that fail, slots and tokens far too few: after every step the state in every
 * slot is that of the sequence that has it, the counters add up; every answer is the undisturbed one; and in the end nothing is left.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rounds, seed } from '../../support/seed.ts';
import { TokenWorld, undisturbed } from './token-world.ts';

const anyOptions = fc.record({
  slots: fc.integer({ min: 1, max: 4 }),
  stepTokens: fc.integer({ min: 4, max: 12 }),
  chunkTokens: fc.integer({ min: 1, max: 6 }),
  capacityTokens: fc.constantFrom(Infinity, 40, 60),
  contextTokens: fc.constantFrom(20, 40),
  sliceSteps: fc.constantFrom(1, 3, Infinity),
  queueMax: fc.integer({ min: 1, max: 10 }),
});

const anyDeed = fc.record({
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

type Deed = typeof anyDeed extends fc.Arbitrary<infer T> ? T : never;

class Fuzz {
  readonly #world: TokenWorld;
  readonly #contextTokens: number;
  readonly #asked: { readonly deed: Deed; readonly giveUp: AbortController }[] = [];

  constructor(options: typeof anyOptions extends fc.Arbitrary<infer T> ? T : never) {
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
    expect(stats.accepted).toBe(over + stats.waiting + stats.running);
    expect(stats.accepted + stats.refused).toBe(this.#asked.length);
    // The only error of the model is the one that was asked for: no slot had the state of another.
    for (const word of told) expect(word).toMatch(/^[0-9]+(: (Error: broken|[a-z_]+))?$/);
    for (const [name, answer] of answers) {
      const { prompt, maxTokens } = this.#asked[Number(name)]!.deed;
      const count = Math.min(maxTokens, this.#contextTokens - prompt.length);
      expect(answer).toEqual(undisturbed(prompt, count));
    }
  }

  async finishAll(): Promise<void> {
    const world = this.#world;
    await world.run();
    this.#check();
    expect(world.batcher.stats()).toMatchObject({ waiting: 0, running: 0, slotsTaken: 0 });
    expect(world.told).toHaveLength(this.#asked.length);
    expect(world.time.nextMs).toBe(Infinity);
  }
}

test('every answer is the undisturbed one, no state is another’s, nothing is left for ever', async () => {
  const deeds = fc.array(anyDeed, { maxLength: 80, size: 'max' });
  const property = fc.asyncProperty(anyOptions, deeds, async (options, all) => {
    const fuzz = new Fuzz(options);
    for (const each of all) await fuzz.perform(each);
    await fuzz.finishAll();
  });
  await fc.assert(property, { seed: seed(), numRuns: rounds(200, 2000) });
});
