/** Memory that goes back to the system while the region is in use, and is reserved again before it is used again. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nodeFiles } from '../../src/memory/files.ts';
import { fixedPrefixBytes } from '../../src/memory/layout.ts';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import { osCalls } from '../../src/memory/os.ts';
import type { OsCalls } from '../../src/memory/os.ts';
import type { MappedSystem } from '../../src/memory/pool-files.ts';
import { pageBytes } from '../../src/memory/region.ts';
import type { Region, Segment } from '../../src/memory/region.ts';
import { attachSharedRegion, createSharedRegion } from '../../src/memory/shared.ts';
import { openerProcess } from './support/opener.ts';
import { codeOf, identity, mib, segmentOf, temporaryFolder } from './support/regions.ts';
import { mayMount, tinyFileSystem } from './support/tiny-file-system.ts';

const options = { capacityBytes: 12 * mib, segmentBytes: 4 * mib, ...identity };

/** Bytes that the file system has allocated for a segment. */
function allocated(folder: string, number: number): number {
  return statSync(join(folder, `segment-000${number}`)).blocks * 512;
}

function isFilled({ bytes }: Segment, from: number, to: number, value: number): boolean {
  return bytes.subarray(from, to).every((byte) => byte === value);
}

/** A region with a second segment whose data are sevens. */
function filled(folder: string, system?: MappedSystem): Region {
  const region = openMappedRegion(folder, 'own', options, system);
  region.addSegment(({ bytes }) => bytes.fill(7, fixedPrefixBytes));
  return region;
}

function systemWith(calls: Partial<OsCalls>): MappedSystem {
  return { files: nodeFiles, os: { ...osCalls(), ...calls } };
}

function failing(code: string): () => never {
  return () => {
    throw Object.assign(new Error(`injected ${code}`), { code, syscall: 'fallocate' });
  };
}

/** /dev/shm is a tmpfs, where punching holes always works; the temporary folder may be anything. */
function memoryFolder(): string {
  if (!readdirSync('/dev').includes('shm')) return temporaryFolder();
  const folder = mkdtempSync('/dev/shm/cenote-memory-');
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('a mapped region', () => {
  it('gives whole pages back, and takes them again', () => {
    const folder = join(memoryFolder(), 'pool');
    const region = filled(folder);
    const segment = segmentOf(region, 1);
    const { bytes } = segment;
    expect(allocated(folder, 1)).toBe(4 * mib);
    expect(region.giveBack?.(segment, mib - 5, 3 * mib + 5)).toBe(2 * mib);
    expect(allocated(folder, 1)).toBe(2 * mib);
    expect(isFilled(segment, mib, 3 * mib, 0)).toBe(true);
    expect(isFilled(segment, fixedPrefixBytes, mib, 7)).toBe(true);
    expect(isFilled(segment, 3 * mib, 4 * mib, 7)).toBe(true);
    // Reading may have brought pages back; giving back what is back counts, and no more.
    const again = 4 * mib - allocated(folder, 1);
    expect(region.giveBack?.(segment, mib, 3 * mib)).toBe(2 * mib - again);
    expect(region.giveBack?.(segment, mib, 3 * mib)).toBe(0);

    expect(region.takeAgain?.(segment, mib + 5, 2 * mib - 5)).toBe(true);
    expect(allocated(folder, 1)).toBe(3 * mib);
    expect(region.takeAgain?.(segment, mib - pageBytes, 3 * mib)).toBe(true);
    expect(allocated(folder, 1)).toBe(4 * mib);
    expect(isFilled(segment, mib, 3 * mib, 0)).toBe(true);
    bytes.fill(9, mib, 3 * mib);
    expect(region.takeAgain?.(segment, fixedPrefixBytes, 4 * mib)).toBe(true);
    expect(isFilled(segment, mib, 3 * mib, 9)).toBe(true);
    region.close();
  });

  it('gives back for every owner, whoever gave', async () => {
    const folder = join(memoryFolder(), 'pool');
    const region = filled(folder);
    const other = openerProcess(folder, 'join');
    await other.ask('open');
    expect((await other.ask('giveBack', 1, mib, 2 * mib)).ok).toBe(mib);
    expect(allocated(folder, 1)).toBe(3 * mib);
    expect(segmentOf(region, 1).bytes[mib + 100]).toBe(0);
    expect((await other.ask('takeAgain', 1, mib, 2 * mib)).ok).toBe(true);
    expect(allocated(folder, 1)).toBe(4 * mib);
    region.close();
  });

  it('gives nothing of less than a page, and nothing that is not there', () => {
    const folder = join(memoryFolder(), 'pool');
    const region = filled(folder);
    const segment = segmentOf(region, 1);
    expect(region.giveBack?.(segment, mib + 1, mib + 2 * pageBytes - 1)).toBe(0);
    expect(region.giveBack?.(segment, mib, mib)).toBe(0);
    expect(region.takeAgain?.(segment, mib, mib)).toBe(true);
    for (const [from, to] of [
      [0, mib],
      [fixedPrefixBytes - 1, mib],
      [2 * mib, mib],
      [mib, 4 * mib + 1],
      [mib + 0.5, 2 * mib],
      [Number.NaN, 2 * mib],
    ] as const) {
      expect(codeOf(() => region.giveBack?.(segment, from, to))).toBe('invalid_argument');
      expect(codeOf(() => region.takeAgain?.(segment, from, to))).toBe('invalid_argument');
    }
    expect(isFilled(segment, fixedPrefixBytes, 4 * mib, 7)).toBe(true);
    const looker = openMappedRegion(folder, 'inspect');
    for (const call of ['giveBack', 'takeAgain'] as const)
      expect(codeOf(() => looker[call]?.(segmentOf(looker, 1), mib, 2 * mib))).toBe('read_only');
    looker.close();
    region.close();
    expect(codeOf(() => region.giveBack?.(segment, mib, 2 * mib))).toBe('pool_closed');
  });

  it('never touches the file that took the place of a dropped segment', () => {
    const folder = join(memoryFolder(), 'pool');
    const region = filled(folder);
    const other = openMappedRegion(folder, 'join');
    const stale = segmentOf(other, 1);
    const dropped = segmentOf(region, 1);
    region.dropSegment();
    expect(other.giveBack?.(stale, mib, 2 * mib)).toBe(0);
    expect(other.takeAgain?.(stale, mib, 2 * mib)).toBe(false);
    region.addSegment(({ bytes }) => bytes.fill(8, fixedPrefixBytes));
    expect(other.giveBack?.(stale, mib, 2 * mib)).toBe(0);
    expect(other.takeAgain?.(stale, mib, 2 * mib)).toBe(false);
    expect(region.giveBack?.(dropped, mib, 2 * mib)).toBe(0);
    expect(region.takeAgain?.(dropped, mib, 2 * mib)).toBe(false);
    expect(isFilled(segmentOf(region, 1), fixedPrefixBytes, 4 * mib, 8)).toBe(true);
    other.close();
    region.close();
  });

  it('says what its file system cannot do', () => {
    const cannot = filled(join(temporaryFolder(), 'pool'), systemWith({ punch: () => false }));
    const segment = segmentOf(cannot, 1);
    expect(cannot.giveBack?.(segment, mib, 2 * mib)).toBe(0);
    expect(isFilled(segment, fixedPrefixBytes, 4 * mib, 7)).toBe(true);
    cannot.close();
    const broken = filled(join(temporaryFolder(), 'pool'), systemWith({ punch: failing('EIO') }));
    const other = segmentOf(broken, 1);
    expect(codeOf(() => broken.giveBack?.(other, mib, 2 * mib))).toBe('io_failed');
    broken.close();
  });

  it.each([
    ['ENOSPC', false],
    ['EDQUOT', false],
    ['ENOMEM', false],
    ['EIO', 'io_failed'],
    ['EOPNOTSUPP', true],
  ] as const)('that cannot reserve pages again, for %s: %s', (code, expected) => {
    const folder = join(memoryFolder(), 'pool');
    filled(folder).close();
    const region = openMappedRegion(folder, 'own', options, systemWith({}));
    region.giveBack?.(segmentOf(region, 1), mib, 2 * mib);
    region.close();
    const poor = openMappedRegion(
      folder,
      'join',
      undefined,
      systemWith({ allocate: failing(code) }),
    );
    let outcome: unknown = 'none';
    const thrown = codeOf(() => (outcome = poor.takeAgain?.(segmentOf(poor, 1), mib, 2 * mib)));
    expect(thrown === 'none' ? outcome : thrown).toBe(expected);
    // A file system that cannot allocate ahead has got zeros written.
    expect(allocated(folder, 1)).toBe(expected === true ? 4 * mib : 3 * mib);
    poor.close();
  });
});

describe.skipIf(!mayMount)('a full file system (needs root, to mount one)', () => {
  it('takes nothing again until there is room, and never faults', async () => {
    const base = tinyFileSystem(9 * mib) as string;
    const folder = join(base, 'pool');
    // In a process of its own: a fault would be a signal.
    const owner = openerProcess(folder, 'own');
    await owner.ask('open');
    expect((await owner.ask('grow')).ok).toBe(true);
    expect((await owner.ask('giveBack', 1, mib, 3 * mib)).ok).toBe(2 * mib);
    writeFileSync(join(base, 'filler'), Buffer.alloc(2.5 * mib));
    expect((await owner.ask('takeAgain', 1, mib, 3 * mib)).ok).toBe(false);
    expect((await owner.ask('fillRange', 1, fixedPrefixBytes, mib)).code).toBeUndefined();
    expect((await owner.ask('fillRange', 1, 3 * mib, 4 * mib)).code).toBeUndefined();
    rmSync(join(base, 'filler'));
    expect((await owner.ask('takeAgain', 1, mib, 3 * mib)).ok).toBe(true);
    // All of it is there now, whatever others do.
    while (
      codeOf(() => writeFileSync(join(base, 'filler'), Buffer.alloc(4096), { flag: 'a' })) ===
      'none'
    );
    expect((await owner.ask('fillRange', 1, mib, 3 * mib)).code).toBeUndefined();
    expect((await owner.ask('touch')).code).toBeUndefined();
    expect((await owner.ask('close')).code).toBeUndefined();
  });
});

/** Resident memory of this process, from the kernel. */
function residentBytes(): number {
  const pages = Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[1]);
  return pages * pageBytes;
}

describe.skipIf(process.platform !== 'linux')('a shared region', () => {
  it('gives pages back that were in memory, for all its threads', () => {
    const region = createSharedRegion({
      capacityBytes: 64 * mib,
      segmentBytes: 64 * mib,
      ...identity,
    });
    const other = attachSharedRegion(region.handle);
    const segment = segmentOf(region, 0);
    segment.bytes.fill(7, mib, 60 * mib);
    const before = residentBytes();
    const given = other.giveBack?.(segmentOf(other, 0), 8 * mib, 56 * mib) ?? 0;
    // A buffer does not begin at a page: one page may be lost.
    expect(given).toBeGreaterThanOrEqual(48 * mib - pageBytes);
    expect(given).toBeLessThanOrEqual(48 * mib);
    expect(before - residentBytes()).toBeGreaterThan(40 * mib);
    expect(isFilled(segment, 8 * mib + pageBytes, 56 * mib - pageBytes, 0)).toBe(true);
    expect(isFilled(segment, mib, 8 * mib, 7)).toBe(true);
    expect(isFilled(segment, 56 * mib, 60 * mib, 7)).toBe(true);
    expect(region.takeAgain?.(segment, 8 * mib, 56 * mib)).toBe(true);
    segment.bytes.fill(9, 8 * mib, 56 * mib);
    expect(isFilled(segmentOf(other, 0), 8 * mib, 56 * mib, 9)).toBe(true);
    other.close();
    region.close();
  });

  it('gives nothing back that was never touched', () => {
    const region = createSharedRegion({
      capacityBytes: 64 * mib,
      segmentBytes: 64 * mib,
      ...identity,
    });
    const segment = segmentOf(region, 0);
    // The header may have a huge page.
    expect(region.giveBack?.(segment, 4 * mib, 60 * mib)).toBe(0);
    expect(region.giveBack?.(segment, 4 * mib, 4 * mib + 100)).toBe(0);
    region.close();
  });
});
