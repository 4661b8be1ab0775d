/** What owners leave behind when they die: journals of what they doomed, and chunks without a record. */

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { crc32 } from '../../src/base/checksum.ts';
import { Disk } from '../../src/tier/disk.ts';
import { partKey } from '../../src/tier/disk-key.ts';
import { filled, freshPath, mib, read } from '../pool/support/pools.ts';
import { diskPool, evictAll, loaded } from './support/pools.ts';

/** As an owner of slot 63 writes it. */
function leaveJournal(path: string, id: string, version: number): void {
  const key = partKey(id, 'p');
  const body = Buffer.alloc(8 + key.length);
  body.writeDoubleLE(version);
  body.set(key, 8);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(body.length);
  head.writeInt32LE(crc32(body), 4);
  writeFileSync(join(path, 'disk', 'doomed-63-1-dead'), Buffer.concat([head, body, head]));
}

function journals(path: string): string[] {
  return readdirSync(join(path, 'disk')).filter((name) => name.startsWith('doomed-'));
}

it('what a dead owner has doomed is not read, and is removed by others', async () => {
  const path = freshPath();
  const of = await diskPool(path, { capacityBytes: 8 * mib });
  const version = of.put('a', 'p', 'doomed');
  of.put('b', 'p', 'not doomed');
  await Promise.all([of.persist('a'), of.persist('b')]);
  evictAll(of);
  leaveJournal(path, 'a', version);
  expect(of.where('a', 'p')).toBeUndefined();
  const { usedBytes: before = 0 } = of.stats().disk ?? {};
  await of.persist('b');
  expect(journals(path)).toHaveLength(1);
  expect(of.where('a', 'p')).toBeUndefined();
  expect(of.stats().disk?.usedBytes).toBeLessThan(before);
  expect(String(await loaded(of, 'b', 'p'))).toBe('not doomed');
});

it('what a dead owner was about to delete, and had not, stays', async () => {
  const path = freshPath();
  const first = await diskPool(path);
  const version = first.put('a', 'p', 'still here');
  await first.persist('a');
  await first.close();
  leaveJournal(path, 'a', version);
  const of = await diskPool(path);
  expect(String(read(of, 'a', 'p'))).toBe('still here');
  expect(of.stats().disk?.usedBytes).toBeGreaterThan(0);
  expect(journals(path)).toHaveLength(1);
});

it('a doom does not take a later version', async () => {
  const path = freshPath();
  const of = await diskPool(path, { capacityBytes: 8 * mib });
  const version = of.put('a', 'p', 'old');
  of.put('a', 'p', 'new');
  await of.persist('a');
  evictAll(of);
  leaveJournal(path, 'a', version);
  expect(of.where('a', 'p')).toBe('disk');
  await of.persist('a');
  expect(String(await loaded(of, 'a', 'p'))).toBe('new');
});

it('chunks that no record will know of are removed', async () => {
  const path = freshPath();
  await (await diskPool(path)).close();
  const disk = await Disk.open(join(path, 'disk'), 2 ** 30, () => undefined);
  const chunk = filled(100_000, 1);
  await disk.commit(0, () => disk.putChunk(Buffer.from('orphaned'), 0, chunk, 'doomed-63-1-dead'));
  expect(disk.usedBytes).toBeGreaterThan(100_000);
  await disk.close();
  const of = await diskPool(path);
  expect(of.stats().disk?.usedBytes).toBe(0);
});
