/** Names of blocks: the same for the same tokens, model, salt and tenant, and for nothing else. */

import { expect, it } from 'vitest';
import { chainStart, fingerprintOf, keysOf, nameOf } from '../../../src/engine/state/keys.ts';

const model = {
  digest: 'ab',
  libraryVersion: '1',
  flashAttention: true,
  exact: true,
  shape: { types: [1, 1], rowBytes: [64, 64], tokenBytes: 128 },
};
const tokens = Int32Array.from({ length: 50 }, (_, index) => index);

function names(salt: string, tenant: string, of: Int32Array = tokens, identity = model): string[] {
  const keys = keysOf(chainStart(fingerprintOf(identity), salt, tenant), of);
  return Array.from({ length: keys.length / 4 }, (_, block) => nameOf(keys, block));
}

it('names whole blocks only, and each by all tokens up to its end', () => {
  const [first, second, third, ...more] = names('s', 't');
  expect(more).toEqual([]);
  expect(first).toMatch(/^kv:[0-9a-f]{32}$/);
  expect(new Set([first, second, third]).size).toBe(3);
  expect(names('s', 't', tokens.slice(0, 47))).toEqual([first, second]);
  const other = tokens.slice();
  other[20] = 99;
  const [same, ...rest] = names('s', 't', other);
  expect(same).toBe(first);
  expect(rest).not.toContain(second);
  expect(rest).not.toContain(third);
});

it('starts elsewhere for another salt, tenant or model', () => {
  const all = [
    names('s', 't'),
    names('s', 'u'),
    names('r', 't'),
    names('t', 's'),
    names('s', 't', tokens, { ...model, digest: 'ac' }),
    names('s', 't', tokens, { ...model, libraryVersion: '2' }),
    names('s', 't', tokens, { ...model, flashAttention: false }),
    names('s', 't', tokens, { ...model, exact: false }),
    names('s', 't', tokens, { ...model, shape: { ...model.shape, types: [1, 8] } }),
    names('s', 't', tokens, { ...model, shape: { ...model.shape, rowBytes: [64, 32] } }),
  ].flat();
  expect(new Set(all).size).toBe(all.length);
});
