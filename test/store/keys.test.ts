/** Keys as words: whatever way they are made, they say the same. */

import { expect, test } from 'vitest';
import { hashHigh, hashLow, hashWords } from '../../src/base/hash.ts';
import { hasCode } from '../../src/errors.ts';
import { Key, nameMaxBytes } from '../../src/store/keys.ts';
import { rounds, seed } from '../support/seed.ts';
import { fc } from '../support/properties.ts';

const seedLow = 0x1234_5678;
const seedHigh = 0x0abc_def0;

/** The words that are drawn at the top of store/keys.ts. */
function wordsOf(id: string, part: string): Int32Array {
  const idBytes = Buffer.from(id);
  const partBytes = Buffer.from(part);
  const text = Buffer.concat([idBytes, partBytes]);
  const words = new Int32Array(1 + Math.ceil(text.length / 4));
  words[0] = idBytes.length | (partBytes.length << 16);
  new Uint8Array(words.buffer, 4).set(text);
  return words;
}

function expectKey(key: Key, id: string, part: string): void {
  const words = wordsOf(id, part);
  hashWords(words, 0, words.length, seedLow, seedHigh);
  expect([key.low, key.high]).toEqual([hashLow, hashHigh]);
  expect(key.idBytes).toBe(Buffer.byteLength(id));
  expect(key.words.subarray(0, key.length)).toEqual(words);
}

const ascii = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 });
const wide = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 40 })
  .filter((text) => text.isWellFormed());
const name = fc.oneof({ weight: 3, arbitrary: ascii }, wide);
// Few names, so that many come again, each alone and both together.
const names = fc.array(name, { minLength: 1, maxLength: 4 });

test('any two names, in any order and again, give the words and the hash of their bytes', () => {
  fc.assert(
    fc.property(names, fc.array(fc.nat(), { maxLength: 24 }), (pool, draws) => {
      const key = new Key(seedLow, seedHigh);
      for (const draw of draws) {
        const id = pool[draw % pool.length] as string;
        const part = pool[(draw >>> 8) % pool.length] as string;
        key.set(id, part);
        expectKey(key, id, part);
        if (draw % 5 === 0) {
          const other = wordsOf(part, id);
          expect(key.load(other, 0)).toBe(true);
          expectKey(key, part, id);
        }
      }
    }),
    { seed: seed(), numRuns: rounds(500, 5000) },
  );
});

test('names of all lengths, up to the longest', () => {
  const key = new Key(seedLow, seedHigh);
  for (let length = 1; length <= nameMaxBytes; length++) {
    key.set('i'.repeat(length), 'p'.repeat(nameMaxBytes + 1 - length));
    expectKey(key, 'i'.repeat(length), 'p'.repeat(nameMaxBytes + 1 - length));
  }
});

const bad: readonly unknown[] = [
  '',
  'x'.repeat(nameMaxBytes + 1),
  'é'.repeat(nameMaxBytes / 2 + 1),
  '\ud800',
  undefined,
  7,
];

test.each(bad)('refuses %j for either name, and is asked as before afterwards', (wrong) => {
  const key = new Key(seedLow, seedHigh);
  for (const [id, part] of [
    [wrong, 'part'],
    ['id', wrong],
    [wrong, wrong],
  ] as [string, string][]) {
    expect(() => key.set(id, part)).toThrow(
      expect.toSatisfy((error) => hasCode(error, 'invalid_argument')),
    );
    key.set('id', 'part');
    expectKey(key, 'id', 'part');
  }
});
