import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';

let pool: Pool;

beforeEach(async () => {
  pool = await openPool({ capacityBytes: 8 * 2 ** 20 });
  for (let i = 0; i < 1500; i++) pool.put('many', `part-${String(i).padStart(4, '0')}`, 'x');
  pool.put('one', 'value', 'x');
});

afterEach(() => pool.close());

test('tells a context a page of parts at a time', () => {
  const first = pool.context('many');
  expect(first).toMatchObject({ partCount: 1500 });
  expect(first?.parts).toHaveLength(1000);
  const last = first?.parts.at(-1)?.part as string;
  expect(last).toBe('part-0999');
  const rest = pool.context('many', { after: last, limit: 10_000 });
  expect(rest?.parts.map(({ part }) => part)).toEqual(
    Array.from({ length: 500 }, (_, i) => `part-${1000 + i}`),
  );
});

test('lists a bounded number of parts of each context, and how many there are', () => {
  const [many, one] = pool.list();
  expect(many).toMatchObject({ id: 'many', partCount: 1500 });
  expect(many?.parts).toHaveLength(100);
  expect(one).toMatchObject({ id: 'one', partCount: 1 });
  expect(pool.list({ partsLimit: 3 })[0]?.parts).toHaveLength(3);
});

test.each([-1, 10_001, 1.5, Number.NaN])('refuses a limit of %d', (limit) => {
  const invalid = expect.objectContaining({ code: 'invalid_argument' }) as Error;
  expect(() => pool.context('many', { limit })).toThrow(invalid);
  expect(() => pool.list({ partsLimit: limit })).toThrow(invalid);
  expect(() => pool.list({ partsLimit: 0 })).toThrow(invalid);
});
