/** Full disks, full /dev/shm, and calls that fail: always a coded error, nothing changed, never a fault. */

import {
  readdirSync,
  readFileSync,
  statfsSync,
  statSync,
  writeFileSync,
  copyFileSync,
  truncateSync,
  closeSync,
  openSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeFiles } from '../../src/memory/files.ts';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import { osCalls } from '../../src/memory/os.ts';
import type { MappedSystem } from '../../src/memory/pool-files.ts';
import { failingSystem } from './support/failing-system.ts';
import { mayMount, tinyFileSystem } from './support/tiny-file-system.ts';
import { openerProcess } from './support/opener.ts';
import { codeOf, identity, mib, segmentOf, temporaryFolder } from './support/regions.ts';
import { runToEnd } from '../support/children.ts';

const options = { capacityBytes: 12 * mib, segmentBytes: 4 * mib, ...identity };

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

function filesIn(folder: string): string[] {
  return readdirSync(folder).toSorted();
}

describe.skipIf(!mayMount)('a full file system (needs root, to mount one)', () => {
  it('refuses a new pool and leaves nothing behind that counts', () => {
    const base = tinyFileSystem(3 * mib) as string;
    const folder = join(base, 'pool');
    expect(codeOf(() => openMappedRegion(folder, 'own', options))).toBe('memory_unavailable');
    expect(filesIn(folder)).toEqual(['owners.lock']);
    expect(statfsSync(base).bavail * statfsSync(base).bsize).toBe(3 * mib);
  });

  it('refuses growth with nothing changed, and allows it when there is room again', async () => {
    const base = tinyFileSystem(10 * mib) as string;
    const folder = join(base, 'pool');
    // In a process of its own: a fault would be a signal.
    const owner = openerProcess(folder, 'own');
    await owner.ask('open');
    expect((await owner.ask('grow')).ok).toBe(true);
    const refused = await owner.ask('grow');
    expect(refused.code).toBe('memory_unavailable');
    expect(refused.message).toContain('ENOSPC');
    expect(filesIn(folder)).toEqual(['owners.lock', 'segment-0000', 'segment-0001']);

    writeFileSync(join(base, 'filler'), Buffer.alloc(mib));
    expect(codeOf(() => writeFileSync(join(base, 'more'), Buffer.alloc(4 * mib)))).toBe('ENOSPC');
    // Every page that the region counts is there, though nothing is left.
    expect((await owner.ask('touch')).code).toBeUndefined();
    expect((await owner.ask('fill')).code).toBeUndefined();
    expect((await owner.ask('close')).code).toBeUndefined();
    runToEnd('mount', ['-o', 'remount,size=32m', base]);
    const region = openMappedRegion(folder, 'own');
    expect(region.segments.length).toBe(2);
    expect(segmentOf(region, 1).words.at(-1)).toBe(7);
    expect(region.addSegment(() => {})).toBe(true);
    region.close();
  });

  it('fills the holes of a sparse copy on opening, or says that it cannot', async () => {
    const base = tinyFileSystem(6 * mib) as string;
    const folder = join(base, 'pool');
    openMappedRegion(folder, 'own', options).close();
    const prefix = readFileSync(join(folder, 'segment-0000')).subarray(0, 32_768);
    const sparse = join(folder, 'segment-0000');
    truncateSync(sparse, 0);
    truncateSync(sparse, 4 * mib);
    const fd = openSync(sparse, 'r+');
    writeSync(fd, prefix, 0, prefix.length, 0);
    closeSync(fd);
    writeFileSync(join(base, 'filler'), Buffer.alloc(4 * mib));
    expect(codeOf(() => openMappedRegion(folder, 'own'))).toBe('memory_unavailable');

    runToEnd('mount', ['-o', 'remount,size=9m', base]);
    const owner = openerProcess(folder, 'own');
    expect((await owner.ask('open')).code).toBeUndefined();
    expect(statSync(sparse).blocks * 512).toBe(4 * mib);
    expect((await owner.ask('fill')).code).toBeUndefined();
  });
});

describe.each([
  { code: 'ENOSPC', expected: 'memory_unavailable' },
  { code: 'EDQUOT', expected: 'memory_unavailable' },
  { code: 'ENOMEM', expected: 'memory_unavailable' },
  { code: 'EIO', expected: 'io_failed' },
])('$code at the n-th call', ({ code, expected }) => {
  it.each([false, true])('of creation changes nothing (ever after: %s)', (forever) => {
    let failures = 0;
    for (let n = 1; ; n += 1) {
      const folder = join(temporaryFolder(), 'pool');
      const before = descriptors();
      const system = failingSystem(n, code, forever);
      const outcome = codeOf(() => openMappedRegion(folder, 'own', options, system).close());
      expect(descriptors()).toBe(before);
      if (outcome === 'none') {
        expect(system.calls()).toBeLessThan(n + 1);
        break;
      }
      expect([n, outcome]).toEqual([n, expected]);
      failures += 1;
      expect(readFileSync('/proc/self/maps', 'utf8')).not.toContain(folder);
      const region = openMappedRegion(folder, 'own', options);
      expect(region.superblock).toMatchObject({ sequence: 1, segmentCount: 1, clean: true });
      expect(filesIn(folder)).toEqual(['owners.lock', 'segment-0000']);
      region.close();
    }
    expect(failures).toBeGreaterThan(10);
  });

  it.each([false, true])('of growth changes nothing (ever after: %s)', (forever) => {
    const folder = join(temporaryFolder(), 'pool');
    openMappedRegion(folder, 'own', options).close();
    let system: MappedSystem = { files: nodeFiles, os: osCalls() };
    // The region looks its calls up at each use, so that failures can begin after it is open.
    const switching: MappedSystem = {
      get files() {
        return system.files;
      },
      get os() {
        return system.os;
      },
    };
    const region = openMappedRegion(folder, 'own', undefined, switching);
    const before = descriptors();
    let failures = 0;
    for (let n = 1; ; n += 1) {
      system = failingSystem(n, code, forever);
      const outcome = codeOf(() => region.addSegment(() => {}));
      expect(descriptors()).toBe(before);
      if (outcome === 'none') break;
      expect([n, outcome]).toEqual([n, expected]);
      failures += 1;
      expect([
        region.segments.length,
        region.superblock.segmentCount,
        region.superblock.sequence,
      ]).toEqual([1, 1, 1]);
      if (!forever) expect(filesIn(folder)).toEqual(['owners.lock', 'segment-0000']);
      expect(readFileSync('/proc/self/maps', 'utf8')).not.toContain(`${folder}/segment-0001`);
    }
    expect(failures).toBeGreaterThan(2);
    expect(region.segments.length).toBe(2);
    system = { files: nodeFiles, os: osCalls() };
    region.close();
    const again = openMappedRegion(folder, 'inspect');
    expect(again.segments.length).toBe(2);
    again.close();
  });
});

describe('a file system that cannot allocate ahead', () => {
  it('gets zeros written instead', () => {
    const folder = join(temporaryFolder(), 'pool');
    const unable = Object.assign(new Error('no'), { code: 'EOPNOTSUPP' });
    const os = {
      ...osCalls(),
      allocate: () => {
        throw unable;
      },
    };
    const region = openMappedRegion(folder, 'own', options, { files: nodeFiles, os });
    expect(region.addSegment(() => {})).toBe(true);
    region.close();
    for (const name of ['segment-0000', 'segment-0001']) {
      expect(statSync(join(folder, name)).size).toBe(4 * mib);
      expect(statSync(join(folder, name)).blocks * 512).toBeGreaterThanOrEqual(4 * mib);
    }
    copyFileSync(join(folder, 'segment-0000'), join(folder, 'copy'));
    openMappedRegion(folder, 'own', undefined, { files: nodeFiles, os }).close();
  });
});
