/** The writer's fast way to copy into shared memory: the same bytes, and done without where koffi is missing. */

import { afterEach, expect, test, vi } from 'vitest';
import { fail } from '../../src/errors.ts';
import { freshIdentity } from '../../src/memory/identity.ts';
import { readTopology } from '../../src/memory/numa-topology.ts';
import { bind, placeSegment } from '../../src/memory/numa.ts';
import type * as Os from '../../src/memory/os.ts';
import type { Segment } from '../../src/memory/region.ts';
import { attachSharedRegion, createSharedRegion } from '../../src/memory/shared.ts';
import { openPool } from '../../src/pool/open.ts';
import { sysfsTrees, treeFiles } from './support/sysfs-trees.ts';

const { koffi } = vi.hoisted(() => ({ koffi: { missing: false } }));

vi.mock('../../src/memory/os.ts', async (original) => {
  const real = await original<typeof Os>();
  const osCalls: typeof real.osCalls = () =>
    koffi.missing ? fail('koffi_missing', 'not installed') : real.osCalls();
  return { ...real, osCalls };
});

const capacityBytes = 8 * 2 ** 20;

afterEach(() => {
  koffi.missing = false;
});

test.skipIf(process.platform !== 'linux')(
  'are the bytes of the segment, for the writer only',
  () => {
    const region = createSharedRegion({ ...freshIdentity(), capacityBytes });
    const { bytes, copies } = region.segments[0] as Segment;
    const at = bytes.length - 1000;
    copies?.set([1, 2, 3], at);
    expect([...bytes.subarray(at, at + 3)]).toEqual([1, 2, 3]);
    expect(copies?.buffer).toBeInstanceOf(ArrayBuffer);
    expect(bytes.buffer).toBeInstanceOf(SharedArrayBuffer);
    const reader = attachSharedRegion(region.handle);
    expect(reader.segments[0]?.copies).toBeUndefined();
    reader.close();
    region.close();
  },
);

test('without koffi, no memory is given back or placed, and all is there', () => {
  koffi.missing = true;
  const region = createSharedRegion({ ...freshIdentity(), capacityBytes });
  const segment = region.segments[0] as Segment;
  segment.bytes.fill(7, 2 ** 20, 2 ** 21);
  expect(region.giveBack?.(segment, 2 ** 20, 2 ** 21)).toBe(0);
  expect(segment.bytes[2 ** 20]).toBe(7);
  expect(region.takeAgain?.(segment, 2 ** 20, 2 ** 21)).toBe(true);
  const twoNodes = readTopology(treeFiles(sysfsTrees.twoSockets));
  expect([bind(segment, 0), placeSegment(segment, undefined, twoNodes)]).toEqual([
    false,
    undefined,
  ]);
  region.close();
});

test.each([false, true])('make no difference to a pool (koffi missing: %s)', async (missing) => {
  koffi.missing = missing;
  const pool = await openPool({ capacityBytes });
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7);
  pool.put('a', 'p', bytes);
  pool.append('a', 'p', bytes);
  const draft = pool.beginPut('b', 'p', 10);
  draft.write(bytes);
  draft.commit();
  const lease = pool.get('a', 'p');
  // A source within the pool itself, too.
  pool.put('c', 'p', lease?.data as Uint8Array);
  pool.append('a', 'p', lease?.data as Uint8Array);
  for (const [id, times] of [
    ['a', 4],
    ['b', 1],
    ['c', 2],
  ] as const) {
    const whole = Buffer.concat(Array.from({ length: times }, () => bytes));
    const held = pool.get(id, 'p');
    expect(whole.equals(held?.data as Uint8Array)).toBe(true);
    expect(held?.data.buffer).toBeInstanceOf(SharedArrayBuffer);
    held?.release();
  }
  lease?.release();
  expect(pool.check().errors).toEqual([]);
  await pool.close();
});
