/** What happened to a pool before it was damaged holds after its repair: deletions, replacements, versions. */

import { cpSync, readFileSync, rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { control, controlByte } from '../../src/memory/layout.ts';
import { ownerSlot, ownerWord } from '../../src/memory/owners.ts';
import { openPool } from '../../src/pool/open.ts';
import { repairPool } from '../../src/pool/repair.ts';
import { mib, read } from './support/pools.ts';
import { entryOf, expectAllSaved, hour, repairStage } from './support/repairing.ts';

const stage = repairStage();

function lastEntryOf(bytes: Buffer, names: string): number {
  return (bytes.lastIndexOf(names) - 4) / 64 - 1;
}

describe('repair', () => {
  it('does not bring back what was deleted, replaced, or only stored as bytes', async () => {
    const first = await openPool({
      path: stage.path,
      capacityBytes: 16 * mib,
      segmentBytes: 8 * mib,
    });
    for (let i = 0; i < 20; i++) first.put(`gone-${i}`, 'p', new Uint8Array(300).fill(i));
    // The entries as they are now, live, become bytes of a part.
    const image = readFileSync(stage.segment(0)).subarray(0, mib);
    for (let i = 0; i < 20; i++) first.delete(`gone-${i}`);
    first.put('kept', 'image', image);
    first.put('kept', 'other', Uint8Array.of(1));
    const last = first.put('gone', 'p', Uint8Array.of(2));
    first.delete('gone');
    await first.close();
    const { parts, dropped } = repairPool(stage.path);
    expect({ parts, dropped }).toEqual({ parts: 2, dropped: [] });
    const pool = await openPool({ path: stage.path, clock: { nowMs: () => 1 } });
    expect(pool.list().map(({ id }) => id)).toEqual(['kept']);
    expect(read(pool, 'kept', 'image')?.equals(image)).toBe(true);
    expect(pool.put('gone', 'p', Uint8Array.of(3))).toBeGreaterThan(last);
    await pool.close();
  });

  it('takes the higher version where a death has left two', async () => {
    const pool = await openPool({ path: stage.path, capacityBytes: 4 * mib });
    const versions = [1, 2].map((n) =>
      pool.put('chat', 'p', Uint8Array.of(n), { tags: [`t${n}`] }),
    );
    await pool.close();
    stage.change(0, (bytes) => {
      // The entry that was replaced is live again; its bytes are still there.
      const [one, other] = [entryOf(bytes, 'chatp'), lastEntryOf(bytes, 'chatp')];
      for (const entry of [one, other])
        bytes.writeInt32LE((bytes.readInt32LE(64 * entry) & ~15) | 2, 64 * entry);
    });
    expect(repairPool(stage.path)).toMatchObject({ parts: 1, dropped: [] });
    const repaired = await openPool({ path: stage.path });
    expect(repaired.describe('chat', 'p')?.version).toBe(versions[1]);
    expect(read(repaired, 'chat', 'p')).toEqual(Buffer.of(2));
    await repaired.close();
  });

  it('completes the deletion of a context that a death has cut short', async () => {
    const pool = await openPool({ path: stage.path, capacityBytes: 4 * mib });
    pool.put('half', 'one', Uint8Array.of(1));
    pool.put('half', 'two', Uint8Array.of(2));
    pool.put('whole', 'one', Uint8Array.of(3));
    cpSync(stage.path, `${stage.path}-died`, { recursive: true });
    await pool.close();
    rmSync(stage.path, { recursive: true });
    cpSync(`${stage.path}-died`, stage.path, { recursive: true });
    rmSync(`${stage.path}-died`, { recursive: true });
    stage.change(0, (bytes) => {
      const entry = entryOf(bytes, 'halfone');
      bytes.writeInt32LE(entry, 4 * ownerWord(0, ownerSlot.intentEntry));
      bytes.writeInt32LE(1, 4 * ownerWord(0, ownerSlot.intentOp));
    });
    expect(repairPool(stage.path)).toMatchObject({ parts: 1, dropped: [] });
    const repaired = await openPool({ path: stage.path });
    expect(repaired.list().map(({ id }) => id)).toEqual(['whole']);
    await repaired.close();
  });

  it('takes no version clock for true that runs years ahead', async () => {
    stage.place();
    stage.change(0, (bytes) =>
      bytes.writeInt32LE(0x1f_ff_ff, controlByte + 4 * control.versionHigh),
    );
    await expectAllSaved(stage);
    const pool = await openPool({ path: stage.path });
    expect(pool.put('new', 'p', Uint8Array.of(1))).toBeLessThan((Date.now() + hour) * 2048);
    await pool.close();
  });
});
