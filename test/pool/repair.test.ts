/** Repair of damaged pools: what is intact is saved as it was, and what is lost is told. */

import { readFileSync, rmSync, truncateSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { controlByte, segmentHeaderByte, superblockBByte } from '../../src/memory/layout.ts';
import { trait } from '../../src/store/entry.ts';
import { openPool } from '../../src/pool/open.ts';
import { repairPool } from '../../src/pool/repair.ts';
import { mib } from './support/pools.ts';
import { entryOf, expectAllSaved, expectRepaired, repairStage } from './support/repairing.ts';

const stage = repairStage();

describe('repair saves everything where nothing is lost but', () => {
  it('the index', async () => {
    stage.place();
    const { rootParts } = await rootsOf();
    stage.change(rootParts >>> 16, (bytes) =>
      bytes.fill(0xff, (rootParts & 0xffff) * 64 + 64, (rootParts & 0xffff) * 64 + 4000),
    );
    await expectAllSaved(stage);
  });

  it('page table, bitmaps and counters', async () => {
    stage.place();
    for (const number of [0, 1]) stage.change(number, (bytes) => bytes.fill(0x5a, 40_960, 49_152));
    await expectAllSaved(stage);
  });

  it('the header of a segment', async () => {
    stage.place();
    for (const number of [0, 1])
      stage.change(number, (bytes) => bytes.fill(0, segmentHeaderByte, segmentHeaderByte + 64));
    const { findings } = await expectAllSaved(stage);
    expect(findings).toHaveLength(2);
  });

  it('the checksums of both superblocks', async () => {
    stage.place();
    stage.change(0, (bytes) => {
      for (const at of [0, superblockBByte]) bytes.writeInt32LE(0, at + 4 * 63);
    });
    await expectAllSaved(stage);
  });

  it('what both superblocks begin with', async () => {
    stage.place();
    stage.change(0, (bytes) => {
      for (const at of [0, superblockBByte]) bytes.writeInt32LE(0, at);
    });
    await expectAllSaved(stage);
  });

  it('one superblock, and the hash seed in the other', async () => {
    stage.place();
    stage.change(0, (bytes) => {
      bytes.writeInt32LE(7, 4 * 24);
      bytes.writeInt32LE(0, superblockBByte + 4 * 63);
    });
    await expectAllSaved(stage);
  });

  it('all words that count and lead', async () => {
    stage.place('died');
    stage.change(0, (bytes) => bytes.fill(0xee, controlByte, controlByte + 64));
    await expectAllSaved(stage);
  });
});

async function rootsOf(): Promise<{ rootParts: number }> {
  const bytes = readFileSync(stage.segment(0));
  return { rootParts: bytes.readInt32LE(4 * 28) };
}

describe('repair tells what is lost when', () => {
  it('a segment is missing', async () => {
    stage.place();
    rmSync(stage.segment(1));
    const report = repairPool(stage.path);
    const after = await expectRepaired(stage, report);
    expect(report.findings).toEqual(['segment 1 is missing']);
    expect(report.dropped.length).toBeGreaterThan(0);
    expect(report.dropped.every(({ why }) => why.includes('are not there'))).toBe(true);
    expect(after.size).toBeGreaterThan(0);
  });

  it('a segment is cut short', async () => {
    stage.place();
    truncateSync(stage.segment(1), 2 * mib + 100);
    const report = repairPool(stage.path);
    await expectRepaired(stage, report);
    expect(report.findings[0]).toMatch(/^segment 1: 2097152 of 4194304 bytes are there$/);
    expect(report.dropped.length).toBeGreaterThan(0);
  });

  it('bytes of a part have changed', async () => {
    stage.place();
    stage.change(0, (bytes) => bytes.write('C0nversation 7', bytes.indexOf('Conversation 7')));
    const report = repairPool(stage.path);
    await expectRepaired(stage, report);
    expect(report.dropped).toMatchObject([
      { id: 'context-7', part: 'about', why: 'its bytes do not match their checksum' },
    ]);
  });

  it('bytes of a part have changed, and that they have a checksum', async () => {
    stage.place();
    stage.change(0, (bytes) => {
      const at = 64 * entryOf(bytes, 'context-7about') + 8;
      bytes.writeInt32LE(bytes.readInt32LE(at) & ~trait.checksummed, at);
      bytes.write('C0nversation 7', bytes.indexOf('Conversation 7'));
    });
    const report = repairPool(stage.path);
    await expectRepaired(stage, report);
    expect(report.dropped).toMatchObject([
      { id: 'context-7', part: 'about', why: 'its bytes do not match their checksum' },
    ]);
  });

  it('a word of the hash of a part has changed: it may be that of another life of its entry', async () => {
    stage.place();
    for (const [i, field] of [1, 35].entries()) {
      stage.change(0, (bytes) => {
        const at = 64 * entryOf(bytes, `context-${5 + 2 * i}about`) + 4 * field;
        bytes.writeInt32LE(~bytes.readInt32LE(at), at);
      });
    }
    const report = repairPool(stage.path);
    await expectRepaired(stage, report);
    expect(report).toMatchObject({ dropped: [], unnamed: 2, parts: stage.before.size - 2 });
  });

  it('the kind of a part is impossible', async () => {
    stage.place();
    stage.change(0, (bytes) => {
      const at = 64 * entryOf(bytes, 'context-5about') + 8;
      bytes.writeInt32LE(bytes.readInt32LE(at) | 7, at);
    });
    const report = repairPool(stage.path);
    expect((await expectRepaired(stage, report)).size).toBe(stage.before.size);
    expect(report.impaired).toMatchObject([{ id: 'context-5', why: 'its kind is lost' }]);
    const pool = await openPool({ path: stage.path, readOnly: true });
    expect(pool.describe('context-5', 'about')?.kind).toBe('blob');
    await pool.close();
  });

  it('the word that says which bytes count has changed, of a part that was written once', async () => {
    stage.place();
    stage.change(0, (bytes) => {
      const at = 64 * entryOf(bytes, 'context-5about') + 20;
      bytes.writeInt32LE(bytes.readInt32LE(at) ^ 1, at);
    });
    const report = repairPool(stage.path);
    await expectRepaired(stage, report);
    expect(report.dropped).toMatchObject([{ id: 'context-5', why: 'its bytes are not there' }]);
  });

  it('a tag has changed', async () => {
    stage.place();
    stage.change(0, (bytes) => bytes.write('tog', bytes.indexOf('tag-1')));
    const report = repairPool(stage.path);
    const after = await expectRepaired(stage, report);
    expect(after.size).toBe(stage.before.size);
    expect(report.impaired).toHaveLength(1);
    expect(report.impaired[0]?.why).toBe('some of its tags are lost');
  });

  it('a key has changed: it has no name any more', async () => {
    stage.place();
    stage.change(0, (bytes) => bytes.write('cantext-7about', bytes.indexOf('context-7about')));
    const report = repairPool(stage.path);
    await expectRepaired(stage, report);
    expect(report).toMatchObject({ dropped: [], unnamed: 1, parts: stage.before.size - 1 });
  });
});
