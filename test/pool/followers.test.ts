/** Threads that joined see everything that the writer has done since, however the index, entries and segments have grown. */

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { control, controlByte } from '../../src/memory/layout.ts';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';

const mib = 2 ** 20;

let pool: Pool;
let reader: Pool;

beforeEach(async () => {
  pool = await openPool({ capacityBytes: 32 * mib, segmentBytes: 4 * mib });
  pool.put('first', 'p', Uint8Array.of(1));
  reader = await openPool({ handle: structuredClone(pool.handle) });
});

afterEach(async () => {
  await reader.close();
  await pool.close();
});

function fill(from: number, count: number, sizeBytes = 600): void {
  for (let i = from; i < from + count; i++) pool.put(`c${i}`, 'p', new Uint8Array(sizeBytes));
}

describe('a joined reader', () => {
  it('describes, finds and lists what came after it joined', () => {
    fill(0, 5000);
    expect(reader.where('c4999', 'p')).toBe('hot');
    expect(reader.describe('c4998', 'p')?.sizeBytes).toBe(600);
    expect(reader.context('c4997')?.parts).toHaveLength(1);
    expect(reader.list({ limit: 10_000 })).toHaveLength(5001);
  });

  it('knows the whole context when only the entries have grown', () => {
    // Fewer than the smallest table takes, more than the first chunk of entries.
    fill(0, 150);
    for (let i = 0; i < 30; i++) pool.put('first', `q${i}`, Uint8Array.of(i));
    expect(reader.context('first')?.parts).toHaveLength(31);
    expect(reader.list()).toHaveLength(151);
  });

  it('counts segments and bytes as the writer does', () => {
    fill(0, 12, mib);
    const { segments, memory, parts } = pool.stats();
    expect(segments).toBeGreaterThan(2);
    expect(reader.stats()).toMatchObject({
      segments,
      parts,
      memory: { usedBytes: memory.usedBytes },
    });
    expect(reader.memoryMap(8)).toEqual(pool.memoryMap(8));
    expect(reader.check().errors).toEqual([]);
  });

  it('reads a pool whose writer died while it rebuilt a table', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cenote-followers-'));
    try {
      const path = join(folder, 'died');
      const first = await openPool({ path: join(folder, 'pool'), capacityBytes: 4 * mib });
      first.put('kept', 'p', Uint8Array.of(7));
      cpSync(join(folder, 'pool'), path, { recursive: true });
      await first.close();
      const file = join(path, 'segment-0000');
      const image = readFileSync(file);
      const at = controlByte + 4 * control.indexEpoch;
      image.writeInt32LE(image.readInt32LE(at) | 1, at);
      writeFileSync(file, image);

      const writer = await openPool({ path });
      const joined = await openPool({ handle: writer.handle });
      expect(joined.where('absent', 'p')).toBe(undefined);
      expect(joined.get('absent', 'p')).toBe(undefined);
      expect(joined.describe('kept', 'p')?.sizeBytes).toBe(1);
      await joined.close();
      await writer.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('gives its leases on new entries back when it closes', async () => {
    for (let i = 0; i < 100; i++) {
      pool.put('many', `p${i}`, Uint8Array.of(i));
      expect(reader.get('many', `p${i}`)?.sizeBytes).toBe(1);
    }
    await reader.close();
    pool.delete('many');
    pool.sweepExpired();
    expect(pool.stats().retiredParts).toBe(0);
  });
});
