/** Ids and part names: 1 to 512 bytes of UTF-8, told apart to the last byte. */

import { describe, expect, it } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { contents, expectSound, pool, read, refuses } from './support/pools.ts';

const names: readonly [what: string, name: string][] = [
  ['one byte', 'a'],
  ['a zero byte', '\0'],
  ['59 bytes', 'x'.repeat(59)],
  ['60 bytes', 'x'.repeat(60)],
  ['61 bytes', 'x'.repeat(61)],
  ['512 bytes', 'x'.repeat(512)],
  ['512 bytes of two-byte letters', 'ß'.repeat(256)],
  ['512 bytes of four-byte letters', '𝕏'.repeat(128)],
  ['511 bytes of three-byte letters and one', `${'字'.repeat(170)}xx`],
  ['a byte order mark first', '\ufeffa'],
  ['slashes and dots', '../../etc/passwd'],
  ['what objects are made of', '__proto__'],
];

const bad: readonly [what: string, name: unknown][] = [
  ['nothing', ''],
  ['513 bytes', 'x'.repeat(513)],
  ['513 bytes in 171 letters', '字'.repeat(171)],
  ['514 bytes in 257 letters', 'ß'.repeat(257)],
  ['a high surrogate alone', 'a\ud800'],
  ['a low surrogate alone', '\udc00a'],
  ['a number', 5],
  ['null', null],
  ['undefined', undefined],
  ['an object', { toString: () => 'a' }],
];

/** Every operation that takes an id and a part. */
const operations: readonly [string, (of: Pool, id: string, part: string) => unknown][] = [
  ['put', (of, id, part) => of.put(id, part, 'x')],
  ['append', (of, id, part) => of.append(id, part, 'x')],
  ['beginPut', (of, id, part) => of.beginPut(id, part, 1)],
  ['get', (of, id, part) => of.get(id, part)],
  ['describe', (of, id, part) => of.describe(id, part)],
  ['where', (of, id, part) => of.where(id, part)],
];

/** Every operation that takes an id and may take a part. */
const onContexts: readonly [string, (of: Pool, id: string, part?: string) => unknown][] = [
  ['delete', (of, id, part) => of.delete(id, part)],
  ['expire', (of, id, part) => of.expire(id, 1000, part)],
  ['pin', (of, id, part) => of.pin(id, part)],
  ['unpin', (of, id, part) => of.unpin(id, part)],
  ['hint', (of, id) => of.hint(id, { closed: true })],
  ['context', (of, id) => of.context(id)],
  ['has', (of, id) => of.has(id)],
];

describe('names', () => {
  it.each(names)('may be %s', async (_, name) => {
    const of = await pool();
    of.put(name, name, 'both', { tags: [name], dependsOn: [name] });
    of.put(name, 'part', 'id');
    of.put('id', name, 'part');
    expect(of.get(name, name)?.text()).toBe('both');
    expect(of.get(name, 'part')?.text()).toBe('id');
    expect(of.get('id', name)?.text()).toBe('part');
    expect(of.describe(name, name)).toMatchObject({ part: name, tags: [name, `dep:${name}`] });
    expect(
      of
        .context(name)
        ?.parts.map(({ part }) => part)
        .sort(),
    ).toEqual([name, 'part'].sort());
    expect(of.list({ prefix: name }).map(({ id }) => id)).toContain(name);
    expectSound(of);
    expect(of.invalidate({ tag: `dep:${name}` })).toBe(1);
    expect(of.delete(name)).toBe(1);
    expect(of.delete('id', name)).toBe(1);
    expect(of.stats().parts).toBe(0);
    expectSound(of);
  });

  it('are told apart where one begins like the other', async () => {
    const of = await pool();
    // The same letters, cut in different places.
    const pairs = [
      ['ab', 'c'],
      ['a', 'bc'],
      ['abc', 'd'],
      ['ab', 'cd'],
      ['a', 'bcd'],
      ['aa', 'b'],
    ];
    const long = 'y'.repeat(300);
    for (const [id, part] of pairs.slice()) pairs.push([`${id}${long}`, part as string]);
    for (const [id, part] of pairs.slice()) pairs.push([id as string, `${part}${long}`]);
    for (const [id, part] of pairs) of.put(id as string, part as string, `${id}|${part}`);
    for (const [id, part] of pairs) {
      expect(read(of, id as string, part as string)?.toString()).toBe(`${id}|${part}`);
    }
    expect(of.stats().parts).toBe(pairs.length);
    expect(of.stats().contexts).toBe(new Set(pairs.map(([id]) => id)).size);
    expectSound(of);
  });

  describe.each(bad)('may not be %s', (_, name) => {
    it.each(operations)('in %s', async (__, operation) => {
      const of = await pool();
      of.put('a', 'p', 'x');
      const before = contents(of);
      refuses(() => operation(of, name as string, 'p'), 'invalid_argument');
      refuses(() => operation(of, 'a', name as string), 'invalid_argument');
      expect(contents(of)).toEqual(before);
    });

    it.each(onContexts)('in %s', async (__, operation) => {
      const of = await pool();
      of.put('a', 'p', 'x');
      const before = contents(of);
      refuses(() => operation(of, name as string), 'invalid_argument');
      if (name !== undefined && operation.length === 3) {
        refuses(() => operation(of, 'a', name as string), 'invalid_argument');
      }
      expect(contents(of)).toEqual(before);
    });

    it('as a tag', async () => {
      const of = await pool();
      const tags = [name as string];
      refuses(() => of.put('a', 'p', 'x', { tags }), 'invalid_argument');
      refuses(() => of.put('a', 'p', 'x', { tags: ['fine', ...tags] }), 'invalid_argument');
      refuses(() => of.invalidate({ tag: name as string }), 'invalid_argument');
      expect(of.stats().parts).toBe(0);
    });
  });
});
