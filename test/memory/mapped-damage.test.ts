/** Damaged files of a mapped pool: opening says so before anything is mapped, and takes nothing damaged for a new pool. */

import {
  copyFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { segmentHeader, segmentHeaderByte } from '../../src/memory/layout.ts';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import { openCode, options, poolFolder } from './support/mapped-folders.ts';
import { mib } from './support/regions.ts';

describe('damage', () => {
  const damages: Record<string, (folder: string) => void> = {
    'the first segment is cut short': (folder) =>
      truncateSync(join(folder, 'segment-0000'), 2 * mib),
    'the first segment is shorter than its superblocks': (folder) =>
      truncateSync(join(folder, 'segment-0000'), 5000),
    'the first segment is empty': (folder) => truncateSync(join(folder, 'segment-0000'), 0),
    'a segment is cut short by a page': (folder) =>
      truncateSync(join(folder, 'segment-0001'), 4 * mib - 4096),
    'a segment is empty': (folder) => truncateSync(join(folder, 'segment-0001'), 0),
    'a segment has grown': (folder) => truncateSync(join(folder, 'segment-0001'), 8 * mib),
    'a segment is missing': (folder) => unlinkSync(join(folder, 'segment-0001')),
    'a segment has another number': (folder) =>
      copyFileSync(join(folder, 'segment-0000'), join(folder, 'segment-0001')),
    'a segment is zeros': (folder) =>
      writeFileSync(join(folder, 'segment-0001'), Buffer.alloc(4 * mib)),
    'a segment header has another size': (folder) => {
      const path = join(folder, 'segment-0001');
      const image = readFileSync(path);
      // A size that would fit the pool, and the file.
      image.writeInt32LE(3 * mib, segmentHeaderByte + 4 * segmentHeader.sizeBytesLow);
      writeFileSync(path, image);
      truncateSync(path, 3 * mib);
    },
    'a segment is of another pool': (folder) => {
      const other = join(folder, '..', 'other');
      const region = openMappedRegion(other, 'own', { ...options, poolUuid: 'f'.repeat(32) });
      region.addSegment(() => {});
      region.close();
      copyFileSync(join(other, 'segment-0001'), join(folder, 'segment-0001'));
    },
  };

  it.each(Object.entries(damages))('is reported before anything is mapped: %s', (_, damage) => {
    const folder = poolFolder();
    damage(folder);
    const before = readdirSync('/proc/self/fd').length;
    for (const mode of ['own', 'join', 'inspect'] as const)
      expect([mode, openCode(folder, mode)]).toEqual([mode, 'pool_corrupt']);
    expect(readdirSync('/proc/self/fd').length).toBe(before);
    expect(readFileSync('/proc/self/maps', 'utf8')).not.toContain(folder);
  });

  it('is never taken for a new pool', () => {
    const folder = poolFolder();
    rmSync(join(folder, 'segment-0000'));
    expect(openCode(folder, 'own')).toBe('pool_corrupt');
    expect(readdirSync(folder)).toContain('segment-0001');
    renameSync(join(folder, 'segment-0001'), join(folder, 'segment-0000'));
    expect(openCode(folder, 'own')).toBe('not_a_pool');
  });
});
