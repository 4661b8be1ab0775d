/** What a token comes to depends on its own sequence alone: whoever is computed beside it, and whoever was there before. */

import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { writeRandomModel } from '../../src/engine/gguf/llama-model.ts';
import type { ContextShape } from '../../src/engine/llama/context.ts';
import { parametersMin } from '../../src/engine/llama/tiles.ts';
import { rounds, seed } from '../support/seed.ts';
import { missingEngine, modelFile, smallModel, someTokens } from './support/models.ts';
import { batchTokens, digestOf, Played } from './support/played.ts';
import { writeRecurrentModel } from './support/recurrent.ts';

const shipped = 'models/cenote-moby.gguf';
const sequences = 16;
const contextTokens = 256;

/** A sequence as it is forced: a prompt, then tokens one by one. */
interface Forced {
  readonly prompt: Int32Array;
  readonly tokens: Int32Array;
}

interface Running {
  readonly forced: number;
  next: number;
}

function someForced(count: number, random: Random): Forced[] {
  return Array.from({ length: count }, () => ({
    prompt: someTokens(2 + random.below(150), random.next()),
    tokens: someTokens(1 + random.below(30), random.next()),
  }));
}

function logitsAt(played: Played, row: number): string {
  const logits = new Float32Array(played.model.vocabulary);
  played.context.logits(row, logits);
  return digestOf(logits);
}

/** Digests of all logits, nobody else there. */
function alone(played: Played, { prompt, tokens }: Forced): string[] {
  const digests = [digestOf(played.prefill(0, prompt, 0))];
  tokens.forEach((token, index) => {
    played.context.begin();
    const row = played.context.add(0, prompt.length + index, token, true);
    played.context.compute();
    digests.push(logitsAt(played, row));
  });
  played.context.remove(0);
  return digests;
}

/** Digests of all logits, sequences coming and going in places that are drawn, and any of them in a batch. */
function together(played: Played, all: readonly Forced[], random: Random): string[][] {
  const { context } = played;
  const digests: string[][] = all.map(() => []);
  const places: (Running | undefined)[] = Array.from({ length: sequences });
  let begun = 0;
  let ended = 0;
  while (ended < all.length) {
    const free = random.below(sequences);
    if (places[free] === undefined && begun < all.length) {
      const { prompt } = all[begun] as Forced;
      digests[begun]?.push(digestOf(played.prefill(free, prompt, 0)));
      places[free] = { forced: begun, next: 0 };
      begun += 1;
    }
    context.begin();
    const chance = 1 + random.below(4);
    const asked = places.flatMap((running, place) => {
      if (running === undefined || random.below(4) >= chance) return [];
      const { prompt, tokens } = all[running.forced] as Forced;
      const token = tokens[running.next] as number;
      return [
        { running, place, row: context.add(place, prompt.length + running.next, token, true) },
      ];
    });
    if (asked.length === 0) continue;
    context.compute();
    for (const { running, place, row } of asked) {
      digests[running.forced]?.push(logitsAt(played, row));
      running.next += 1;
      if (running.next < (all[running.forced] as Forced).tokens.length) continue;
      context.remove(place);
      places[place] = undefined;
      ended += 1;
    }
  }
  return digests;
}

/** Whose weights no core has in its cache: rows are added to make others quick. */
function largeModel(): string {
  const path = modelFile('large');
  const shape = { layers: 2, width: 256, heads: 4, kvHeads: 2, contextTokens };
  writeRandomModel(path, { ...shape, feedForward: 2048, vocabulary: 1024, seed: 1, type: 'f16' });
  return path;
}

const kinds: [string, string, Partial<ContextShape>][] = [
  ['float32', smallModel(), {}],
  ['float32, state of q8_0', smallModel(), { kvType: 'q8_0' }],
  ['float16, large', largeModel(), {}],
  ['float16', shipped, {}],
  ['float16, state of q8_0', shipped, { kvType: 'q8_0' }],
];

describe.skipIf(missingEngine() !== undefined)('a token beside others', () => {
  it.each(kinds)('comes to the same logits as alone, to the last bit (%s)', (_, path, shape) => {
    const random = new Random(seed());
    const all = someForced(rounds(20, 200), random);
    const single = new Played({ contextTokens, ...shape, sequences: 1 }, path);
    const expected = all.map((forced) => alone(single, forced));
    const played = new Played({ contextTokens, ...shape, sequences }, path);
    expect(together(played, all, random)).toEqual(expected);
  });

  it.each(kinds)(
    'of a prompt that is computed with others comes to the same (%s)',
    (_, path, shape) => {
      const random = new Random(seed());
      const played = new Played({ contextTokens, ...shape, sequences }, path);
      const { context } = played;
      for (let round = 0; round < rounds(6, 60); round++) {
        // Full pieces are computed in tiles, others row by row.
        const [tokens, ended] = [
          round < 2 ? batchTokens : 2 + random.below(batchTokens - 1),
          1 + random.below(3),
        ];
        const first = random.below(sequences - 1);
        const pair = [someTokens(tokens, random.next()), someTokens(tokens, random.next())];
        const next = someTokens(2, random.next());
        const expected = pair.map((prompt, index) => {
          const whole = Int32Array.from([...prompt, next[index] as number]);
          return alone(played, { prompt, tokens: whole.subarray(tokens) });
        });
        context.begin();
        for (const [index, prompt] of pair.entries()) {
          const wanted = ((ended >> index) & 1) === 1;
          prompt.forEach((token, at) => {
            context.add(first + index, at, token, wanted && at === tokens - 1);
          });
        }
        context.compute();
        for (const [index, [last]] of expected.entries()) {
          if (((ended >> index) & 1) === 0) continue;
          expect(logitsAt(played, (index + 1) * tokens - 1)).toBe(last);
        }
        // What is in their state decides what follows.
        context.begin();
        for (const index of pair.keys())
          context.add(first + index, tokens, next[index] as number, true);
        context.compute();
        expect(pair.map((_prompt, index) => logitsAt(played, index))).toEqual(
          expected.map((digests) => digests.at(-1)),
        );
        for (const index of pair.keys()) context.remove(first + index);
      }
    },
  );

  it('of a large model is one of those that is large', () => {
    expect(new Played({ contextTokens }, largeModel()).model.parameters).toBeGreaterThan(
      parametersMin,
    );
  });

  it('comes to the same logits as in the last piece of a prompt', () => {
    const [prompt, tokens] = [someTokens(20, seed()), someTokens(9, seed() + 1)];
    const played = new Played({ contextTokens });
    const stepwise = alone(played, { prompt, tokens });
    const whole = Int32Array.from([...prompt, ...tokens]);
    expect(digestOf(played.prefill(1, whole, 0))).toBe(stepwise.at(-1));
  });

  it('comes to the same logits in the last places of its context', () => {
    const forced = { prompt: someTokens(contextTokens - 9, seed()), tokens: someTokens(8, seed()) };
    const wide = new Played({ contextTokens: 2 * contextTokens });
    const full = new Played({ contextTokens });
    expect(alone(full, forced)).toEqual(alone(wide, forced));
  });

  it('of a model that can take nothing back is computed as it is', () => {
    const path = modelFile('recurrent');
    writeRecurrentModel(path, seed());
    const forced = { prompt: someTokens(20, seed()), tokens: someTokens(8, seed() + 1) };
    const [exact, plain] = [true, false].map((isExact) =>
      alone(new Played({ contextTokens, sequences: 1, exact: isExact }, path), forced),
    );
    expect(exact).toEqual(plain);
  });
});
