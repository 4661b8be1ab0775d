/** Mapped regions in one process: folders and files, reopening, inspection, stale views. */

import {
  constants,
  chmodSync,
  copyFileSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  statSync,
  writeFileSync,
  writeSync,
  readFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import type { MappedMode } from '../../src/memory/mapped.ts';
import { superblockBByte } from '../../src/memory/layout.ts';
import type { Region } from '../../src/memory/region.ts';
import { encodeSuperblock } from '../../src/memory/superblock-codec.ts';
import type { Superblock } from '../../src/memory/superblock.ts';
import { openCode, options, poolFolder, spot } from './support/mapped-folders.ts';
import { codeOf, identity, mib, segmentOf, temporaryFolder } from './support/regions.ts';

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}

/** Writes a superblock that no writer of this version would write, into both copies of the file. */
function forge(folder: string, block: Superblock): void {
  const image = new Uint8Array(encodeSuperblock(block).buffer);
  const fd = openSync(join(folder, 'segment-0000'), constants.O_RDWR);
  for (const at of [0, superblockBByte]) writeSync(fd, image, 0, image.length, at);
  closeSync(fd);
}

describe('folder and files', () => {
  it('are for their user alone, and of full size from the start', () => {
    const parent = temporaryFolder();
    const folder = join(parent, 'deep', 'pool');
    const region = openMappedRegion(folder, 'own', options);
    region.addSegment(() => {});
    expect(readdirSync(folder).toSorted()).toEqual(['owners.lock', 'segment-0000', 'segment-0001']);
    expect([modeOf(join(parent, 'deep')), modeOf(folder)]).toEqual([0o700, 0o700]);
    for (const name of readdirSync(folder))
      expect([name, modeOf(join(folder, name))]).toEqual([name, 0o600]);
    for (const name of ['segment-0000', 'segment-0001']) {
      const stat = statSync(join(folder, name));
      expect(stat.size).toBe(4 * mib);
      expect(stat.blocks * 512).toBeGreaterThanOrEqual(4 * mib);
    }
    region.close();
  });

  it('become private when an open folder is turned into a pool', () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    openMappedRegion(folder, 'own', options).close();
    expect(modeOf(folder)).toBe(0o700);
  });

  it('cost one descriptor', () => {
    const folder = poolFolder();
    const before = readdirSync('/proc/self/fd').length;
    const region = openMappedRegion(folder, 'own');
    expect(readdirSync('/proc/self/fd').length).toBe(before + 1);
    region.close();
    expect(readdirSync('/proc/self/fd').length).toBe(before);
    const looker = openMappedRegion(folder, 'inspect');
    expect(readdirSync('/proc/self/fd').length).toBe(before);
    looker.close();
  });

  it('are left alone when they are not a pool', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'thesis.txt'), 'ten years of work');
    for (const mode of ['own', 'join', 'inspect'] as const)
      expect(openCode(folder, mode)).toBe('not_a_pool');
    expect(readdirSync(folder)).toEqual(['thesis.txt']);
    for (const mode of ['own', 'join', 'inspect'] as const)
      expect(openCode(join(folder, 'thesis.txt'), mode)).toBe('not_a_pool');
    const absent = join(folder, 'absent');
    expect([openCode(absent, 'join'), openCode(absent, 'inspect')]).toEqual([
      'not_a_pool',
      'not_a_pool',
    ]);
    expect(codeOf(() => openMappedRegion(absent, 'own'))).toBe('not_a_pool');
    writeFileSync(join(folder, 'segment-0000'), 'not even close'.repeat(10_000));
    for (const mode of ['own', 'join', 'inspect'] as const)
      expect(openCode(folder, mode)).toBe('not_a_pool');
    expect(readFileSync(join(folder, 'segment-0000'), 'utf8')).toBe(
      'not even close'.repeat(10_000),
    );
  });

  it('need a path and a mode', () => {
    for (const path of ['', 'a\0b', 7, undefined])
      expect(codeOf(() => openMappedRegion(path as string, 'own', options))).toBe(
        'invalid_argument',
      );
    expect(codeOf(() => openMappedRegion(temporaryFolder(), 'steal' as MappedMode, options))).toBe(
      'invalid_argument',
    );
  });
});

describe('reopening', () => {
  it('gives the first slot to one owner at a time', () => {
    const folder = poolFolder();
    const region = openMappedRegion(folder, 'own', options);
    expect(codeOf(() => openMappedRegion(folder, 'own', options))).toBe('pool_busy');
    expect(region.ownerSlot).toBe(0);
    region.close();
    openMappedRegion(folder, 'own', options).close();
  });

  it('finds everything as it was, whatever options say', () => {
    const folder = poolFolder();
    const region = openMappedRegion(folder, 'own', {
      ...options,
      capacityBytes: 64 * mib,
      poolUuid: 'f'.repeat(32),
    });
    expect(region.superblock).toMatchObject({
      ...identity,
      capacityBytes: 12 * mib,
      segmentCount: 2,
      segmentShift: 22,
    });
    expect(region.slotAbandoned).toBe(false);
    expect(segmentOf(region, 0).words[spot]).toBe(5);
    expect(segmentOf(region, 1).words[spot]).toBe(1);
    expect(region.handle).toEqual({ type: 'mapped', path: folder });
    region.close();
  });

  it('finishes a creation that a crash has cut short', () => {
    for (const leftovers of [
      ['owners.lock'],
      ['segment-0000.new'],
      ['owners.lock', 'segment-0000.new'],
    ]) {
      const folder = temporaryFolder();
      for (const name of leftovers)
        writeFileSync(join(folder, name), name === 'owners.lock' ? '' : 'half of a segment');
      expect(openCode(folder, 'join')).toBe('not_a_pool');
      const region = openMappedRegion(folder, 'own', options);
      expect(region.superblock.sequence).toBe(1);
      expect(readdirSync(folder).toSorted()).toEqual(['owners.lock', 'segment-0000']);
      region.close();
    }
  });

  it('writes over a segment that a crash has left uncounted', () => {
    const folder = poolFolder();
    writeFileSync(join(folder, 'segment-0002'), Buffer.alloc(9 * mib, 0xff));
    const region = openMappedRegion(folder, 'own');
    expect(region.segments.length).toBe(2);
    expect(
      region.addSegment((segment) =>
        expect(segment.words.subarray(8192).every((word) => word === 0)).toBe(true),
      ),
    ).toBe(true);
    expect(statSync(join(folder, 'segment-0002')).size).toBe(4 * mib);
    region.close();
  });

  it('removes the file of a dropped segment', () => {
    const folder = poolFolder();
    const region = openMappedRegion(folder, 'own');
    const { words } = segmentOf(region, 1);
    expect(words[spot]).toBe(1);
    region.dropSegment();
    expect(readdirSync(folder)).not.toContain('segment-0001');
    expect([words[spot], words.length]).toEqual([0, mib]);
    region.close();
    expect(openMappedRegion(folder, 'inspect').segments.length).toBe(1);
  });
});

describe('inspection', () => {
  it('sees the pool while it is in use, and reaches nobody', () => {
    const folder = poolFolder();
    const region = openMappedRegion(folder, 'own');
    const looker = openMappedRegion(folder, 'inspect');
    expect([looker.readOnly, looker.ownerSlot, looker.slotAbandoned]).toEqual([true, -1, false]);
    expect([looker.ownerLives(0), looker.ownerLives(1)]).toEqual([true, false]);
    segmentOf(region, 0).words[spot] = 6;
    expect(segmentOf(looker, 0).words[spot]).toBe(6);
    segmentOf(looker, 0).words[spot + 5000] = 77;
    expect(segmentOf(region, 0).words[spot + 5000]).toBe(0);
    for (const change of [
      () => looker.commit({ epoch: 1 }),
      () => looker.addSegment(() => {}),
      () => looker.dropSegment(),
    ]) {
      expect(codeOf(change)).toBe('read_only');
    }
    region.addSegment(() => {});
    looker.refresh();
    expect(looker.segments.length).toBe(3);
    looker.close();
    region.close();
  });

  it('knows a copy of a pool in use from the pool itself', () => {
    const folder = poolFolder();
    const region = openMappedRegion(folder, 'own');
    region.dropSegment();
    const copy = join(temporaryFolder(), 'copy');
    mkdirSync(copy);
    copyFileSync(join(folder, 'segment-0000'), join(copy, 'segment-0000'));
    const lookers = [folder, copy].map((path) => openMappedRegion(path, 'inspect'));
    expect(lookers.map((looker) => looker.ownerLives(0))).toEqual([true, false]);
    for (const looker of lookers) looker.close();
    expect(readdirSync(copy)).toEqual(['segment-0000']);
    region.close();
  });

  it('is all that a pool with unknown roCompat bits allows', () => {
    const folder = poolFolder();
    const before = openMappedRegion(folder, 'inspect');
    forge(folder, { ...before.superblock, roCompat: 4 });
    before.close();
    const region = openMappedRegion(folder, 'own', options);
    expect([region.readOnly, region.ownerSlot, segmentOf(region, 0).words[spot]]).toEqual([
      true,
      -1,
      5,
    ]);
    expect(codeOf(() => region.commit({ epoch: 9 }))).toBe('read_only');
    expect(openCode(folder, 'own')).toBe('pool_busy');
    expect(openCode(folder, 'join')).toBe('format_unsupported');
    region.close();
    forge(folder, { ...before.superblock, incompat: 2 });
    for (const mode of ['own', 'join', 'inspect'] as const)
      expect(openCode(folder, mode)).toBe('format_unsupported');
  });
});

describe('views that outlive their region', () => {
  it('read zeros, and writes to them reach nobody', () => {
    const folder = poolFolder();
    const region = openMappedRegion(folder, 'own');
    const views = region.segments.map((segment) => segment.words);
    const copy = new Uint8Array(segmentOf(region, 0).bytes.buffer, spot * 4, 4);
    expect(copy[0]).toBe(5);
    region.close();
    for (const view of views) {
      expect(view.every((word) => word === 0)).toBe(true);
      view.fill(-1);
    }
    expect(copy[0]).toBe(255);
    expect(readFileSync('/proc/self/maps', 'utf8')).not.toContain(folder);
    const again = openMappedRegion(folder, 'own');
    expect([segmentOf(again, 0).words[spot], segmentOf(again, 1).words[spot]]).toEqual([5, 1]);
    again.close();
  });

  it('never see another pool at their addresses', () => {
    const first = openMappedRegion(join(temporaryFolder(), 'first'), 'own', options);
    const stale = segmentOf(first, 0).words;
    first.close();
    const later: Region[] = [];
    for (let i = 0; i < 20; i += 1) {
      const region = openMappedRegion(join(temporaryFolder(), 'later'), 'own', options);
      segmentOf(region, 0).words.fill(-1, 8192);
      later.push(region);
    }
    expect(stale.every((word) => word === 0)).toBe(true);
    for (const region of later) region.close();
  });
});
