/** Memory that a pool does not use goes back to the system; what is in the pool stays, and there is room for more. */

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Random } from '../../src/base/random.ts';
import type { Pool } from '../../src/pool/api.ts';
import { seed } from '../support/seed.ts';
import { bytesOf, expectSound, filled, mib, pool, read, refuses } from './support/pools.ts';

const kib = 1024;
const options = { capacityBytes: 64 * mib, segmentBytes: 16 * mib };

/** /dev/shm is a tmpfs, where punching holes always works; the temporary folder may be anything. */
function memoryPath(): string {
  const base = readdirSync('/dev').includes('shm') ? '/dev/shm' : tmpdir();
  const folder = mkdtempSync(join(base, 'cenote-trim-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'pool');
}

function allocatedBytes(path: string): number {
  const segments = readdirSync(path).filter((name) => name.startsWith('segment-'));
  return segments.reduce((sum, name) => sum + statSync(join(path, name)).blocks * 512, 0);
}

/** Fills a pool with parts of many sizes, and deletes two of three. @returns what is left */
function fragment(of: Pool, random: Random): Map<string, Buffer> {
  const kept = new Map<string, Buffer>();
  for (let i = 0; of.stats().operations.evictions === 0; i++) {
    const bytes = Buffer.alloc(1 + random.below(300 * kib), i & 255);
    of.put(`c${i}`, 'p', bytes);
    kept.set(`c${i}`, bytes);
  }
  for (const id of kept.keys()) {
    if (random.below(3) > 0 || of.where(id, 'p') === undefined) {
      of.delete(id);
      kept.delete(id);
    }
  }
  return kept;
}

function expectAll(kept: ReadonlyMap<string, Buffer>, of: Pool): void {
  for (const [id, bytes] of kept) assert(read(of, id, 'p')?.equals(bytes), id);
  expectSound(of);
}

describe('a mapped pool', () => {
  it('is as large on disk as what is in it, and takes as much again as it needs', async () => {
    const path = memoryPath();
    const of = await pool({ ...options, path });
    const reader = await pool({ handle: of.handle });
    const kept = fragment(of, new Random(seed()));
    const before = allocatedBytes(path);
    const given = of.trim();
    expect(given).toBeGreaterThan(16 * mib);
    expect(allocatedBytes(path)).toBe(before - given);
    expect(of.stats().memory.givenBackBytes).toBe(given);
    expect(of.trim()).toBe(0);
    expectAll(kept, of);
    expectAll(kept, reader);
    expect(allocatedBytes(path)).toBe(before - given);

    // What moves together takes memory again, and leaves as much to give back.
    for (let calls = 0; !of.compact().done; calls++) assert(calls < 1000, 'compaction has no end');
    expect(of.trim()).toBeGreaterThan(0);
    const compact = allocatedBytes(path);
    const { usedBytes, metadataBytes } = of.stats().memory;
    expect(compact).toBeLessThan(usedBytes + metadataBytes + 2 * mib);
    expectAll(kept, reader);

    const room = of.stats().memory.freeBytes;
    for (let i = 0; i < room / mib / 2; i++) of.put(`more${i}`, 'p', filled(mib - 4096, 7));
    expect(allocatedBytes(path)).toBeGreaterThan(compact + 8 * mib);
    expectAll(kept, of);
    await reader.close();
    await of.close();

    const again = await pool({ path });
    expectAll(kept, again);
    expect(again.stats().memory.givenBackBytes).toBe(0); // opening fills the holes
    expect(allocatedBytes(path)).toBe(again.stats().memory.reservedBytes);
  });

  it('drops segments that are empty', async () => {
    const path = memoryPath();
    const of = await pool({ ...options, path });
    for (let i = 0; i < 4; i++) of.put(`c${i}`, 'p', filled(12 * mib, i));
    for (let i = 1; i < 4; i++) of.delete(`c${i}`);
    const before = allocatedBytes(path);
    const given = of.trim();
    expect(of.stats().segments).toBe(1);
    expect(allocatedBytes(path)).toBe(before - given);
    expect(given).toBeGreaterThan(48 * mib);
    for (let i = 1; i < 4; i++) of.put(`c${i}`, 'p', filled(12 * mib, i));
    for (let i = 0; i < 4; i++)
      expect(read(of, `c${i}`, 'p')?.every((byte) => byte === i)).toBe(true);
    expectSound(of);
  });

  it('keeps what is leased, also when it was deleted', async () => {
    const of = await pool({ ...options, path: memoryPath() });
    const reader = await pool({ handle: of.handle });
    of.put('c', 'p', filled(mib, 5));
    const lease = reader.get('c', 'p');
    of.delete('c');
    of.trim();
    expect(bytesOf(lease).every((byte) => byte === 5)).toBe(true);
    lease?.release();
    expect(of.trim()).toBeGreaterThanOrEqual(mib);
    expect(of.stats().retiredParts).toBe(0);
    await reader.close();
    expectSound(of);
  });
});

describe('a shared pool', () => {
  it('gives memory back too', async () => {
    const of = await pool(options);
    const kept = fragment(of, new Random(seed()));
    expect(of.trim()).toBeGreaterThan(16 * mib);
    expectAll(kept, of);
    for (let i = 0; i < 20; i++) of.put(`more${i}`, 'p', filled(mib, i));
    expectSound(of);
  });

  it('is trimmed by any owner, also while it is copied', async () => {
    const of = await pool();
    const other = await pool({ handle: of.handle, lockWaitMs: 0 });
    expect(other.trim()).toBeGreaterThanOrEqual(0);
    const copying = of.snapshot(memoryPath());
    expect(of.trim()).toBeGreaterThanOrEqual(0);
    expect(other.trim()).toBeGreaterThanOrEqual(0);
    await copying;
    await other.close();
    await of.close();
    refuses(() => of.trim(), 'pool_closed');
  });
});
