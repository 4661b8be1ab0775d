/** What repair leaves as it is: what is in order, what is damaged, and what is not its own. */

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { superblockBByte } from '../../src/memory/layout.ts';
import { openPool } from '../../src/pool/open.ts';
import { repairPool } from '../../src/pool/repair.ts';
import { expectRepaired, repairStage } from './support/repairing.ts';

const stage = repairStage();

describe('repair', () => {
  it('changes nothing in what it has repaired', async () => {
    stage.place();
    stage.change(0, (bytes) => bytes.fill(0, 40_960, 45_056));
    await expectRepaired(stage, repairPool(stage.path));
    const again = repairPool(stage.path);
    expect(again).toMatchObject({
      parts: stage.before.size,
      dropped: [],
      impaired: [],
      findings: [],
      unnamed: 0,
    });
    await expectRepaired(stage, again);
    expect(readdirSync(stage.path).filter((name) => name.startsWith('damaged'))).toEqual([
      'damaged-1',
      'damaged-2',
    ]);
  });

  it('keeps the damaged segments, and what else is in the folder', async () => {
    stage.place();
    writeFileSync(join(stage.path, 'note'), 'mine');
    stage.change(0, (bytes) => bytes.fill(0, 40_960, 45_056));
    const image = readFileSync(stage.segment(0));
    const { backup } = repairPool(stage.path);
    expect(backup).toBe(join(stage.path, 'damaged-1'));
    expect(readFileSync(join(backup, 'segment-0000')).equals(image)).toBe(true);
    expect(readFileSync(join(stage.path, 'note'), 'utf8')).toBe('mine');
    expect(existsSync(join(stage.path, 'repaired'))).toBe(false);
  });

  it('refuses, and changes nothing, where the seed of the hashes is lost', async () => {
    stage.place();
    stage.change(0, (bytes) => {
      for (const at of [0, superblockBByte])
        bytes.writeInt32LE(bytes.readInt32LE(at + 96) ^ 1, at + 96);
    });
    const images = [0, 1].map((number) => readFileSync(stage.segment(number)));
    expect(() => repairPool(stage.path)).toThrow(expect.objectContaining({ code: 'pool_corrupt' }));
    for (const [number, image] of images.entries())
      expect(readFileSync(stage.segment(number)).equals(image)).toBe(true);
    expect(readdirSync(stage.path).filter((name) => /repair|damaged/.test(name))).toEqual([]);
  });

  it('leaves a pool alone that somebody has open', async () => {
    stage.place();
    const pool = await openPool({ path: stage.path });
    const joined = await openPool({ handle: pool.handle });
    expect(() => repairPool(stage.path)).toThrow(expect.objectContaining({ code: 'pool_busy' }));
    await pool.close();
    expect(() => repairPool(stage.path)).toThrow(expect.objectContaining({ code: 'pool_busy' }));
    await joined.close();
    rmSync(stage.path, { recursive: true });
    expect(() => repairPool(stage.path)).toThrow(expect.objectContaining({ code: 'not_a_pool' }));
  });
});
