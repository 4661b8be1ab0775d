/** Huge pages: where the kernel gives them, and that everything is as ever where it does not. */

import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nodeFiles } from '../../src/memory/files.ts';
import { hugeWaitMs, reserveHuge } from '../../src/memory/huge-pages.ts';
import { fixedPrefixBytes } from '../../src/memory/layout.ts';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import { addressOf } from '../../src/memory/mapping.ts';
import { hugePageBytes } from '../../src/memory/os-mappings.ts';
import { osCalls } from '../../src/memory/os.ts';
import type { OsCalls } from '../../src/memory/os.ts';
import type { Segment } from '../../src/memory/region.ts';
import { createSharedRegion } from '../../src/memory/shared.ts';
import { identity, mib, segmentOf, temporaryFolder } from './support/regions.ts';
import { tinyFileSystem } from './support/tiny-file-system.ts';

const options = { capacityBytes: 64 * mib, segmentBytes: 32 * mib, ...identity };

function memoryFolder(): string {
  if (!readdirSync('/dev').includes('shm')) return temporaryFolder();
  const folder = mkdtempSync('/dev/shm/cenote-memory-');
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** KiB that the kernel counts under a name for the mappings over a segment. */
function mappedKib(segment: Segment, name: string): number {
  const from = addressOf(segment, osCalls());
  let [counts, kib] = [false, 0];
  for (const line of readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line);
    if (range !== null)
      counts =
        parseInt(range[2] as string, 16) > from &&
        parseInt(range[1] as string, 16) < from + segment.sizeBytes;
    else if (counts && line.startsWith(`${name}:`))
      kib += parseInt(line.slice(name.length + 1), 10);
  }
  return kib;
}

/** Whether this kernel gives huge pages to files in /dev/shm: found out by the system call alone. */
function kernelCollapses(): boolean {
  const path = join(memoryFolder(), 'probe');
  const fd = openSync(path, 'w+');
  const os = osCalls();
  os.allocate(fd, 2 * hugePageBytes);
  const address = os.map(fd, 2 * hugePageBytes, 'shared');
  const collapses = os.collapse(address, hugePageBytes);
  os.unmap(address, 2 * hugePageBytes);
  closeSync(fd);
  return collapses;
}

const systemWith = (calls: Partial<OsCalls>) => ({
  files: nodeFiles,
  os: { ...osCalls(), ...calls },
});

describe('a mapped region in memory', () => {
  it('lies at multiples of a huge page, for whoever maps it', () => {
    const folder = join(memoryFolder(), 'pool');
    const owner = openMappedRegion(folder, 'own', options);
    owner.addSegment(() => {});
    const joined = openMappedRegion(folder, 'join');
    const looker = openMappedRegion(folder, 'inspect');
    for (const region of [owner, joined, looker])
      for (const segment of region.segments)
        expect(addressOf(segment, osCalls()) % hugePageBytes).toBe(0);
    for (const region of [owner, joined, looker]) region.close();
  });

  it('is in huge pages, for everybody who maps it', (context) => {
    if (!kernelCollapses())
      return context.skip('this kernel gives files in memory no huge pages (Linux 6.1 does)');
    const folder = join(memoryFolder(), 'pool');
    const owner = openMappedRegion(folder, 'own', options);
    owner.addSegment(() => {});
    const joined = openMappedRegion(folder, 'join');
    for (const region of [owner, joined])
      for (const segment of region.segments) {
        for (let at = 8192; at < segment.sizeBytes; at += hugePageBytes) segment.bytes[at] = 1;
        expect(mappedKib(segment, 'ShmemPmdMapped')).toBe(segment.sizeBytes / 1024);
      }
    // No more of the file system than its bytes.
    expect(statSync(join(folder, 'segment-0001')).blocks * 512).toBe(32 * mib);
    joined.close();
    owner.close();
  });

  it('gives part of a huge page back, and keeps what lies beside it', () => {
    const folder = join(memoryFolder(), 'pool');
    const region = openMappedRegion(folder, 'own', options);
    region.addSegment(({ bytes }) => bytes.fill(7, fixedPrefixBytes));
    const segment = segmentOf(region, 1);
    const joined = openMappedRegion(folder, 'join');
    const beside = segmentOf(joined, 1).bytes;
    expect(region.giveBack?.(segment, 5 * mib, 5 * mib + 8192)).toBe(8192);
    expect(beside[5 * mib - 1]).toBe(7);
    expect(beside[5 * mib]).toBe(0);
    expect(beside[5 * mib + 8192]).toBe(7);
    expect(region.takeAgain?.(segment, 5 * mib, 5 * mib + 8192)).toBe(true);
    segment.bytes[5 * mib] = 9;
    expect(beside[5 * mib]).toBe(9);
    joined.close();
    region.close();
  });
});

describe('a file is reserved', () => {
  /** How often huge pages were asked for: 64 MiB at once. */
  function asked(sizeBytes: number, calls: Partial<OsCalls>, nowMs?: () => number): number {
    const fd = openSync(join(memoryFolder(), 'file'), 'w+');
    let count = 0;
    const system = systemWith(calls);
    const collapse = (address: number, bytes: number): boolean => {
      count++;
      return system.os.collapse(address, bytes);
    };
    try {
      reserveHuge({ ...system, os: { ...system.os, collapse } }, fd, sizeBytes, nowMs);
      return count;
    } finally {
      closeSync(fd);
    }
  }

  it('piece by piece, until there are no huge pages', () => {
    expect(asked(32 * mib - 4096, {})).toBe(0);
    let left = 3;
    expect(asked(320 * mib, { collapse: () => left-- > 0 })).toBe(4);
  });

  it('for no longer than anybody would wait', () => {
    let nowMs = 0;
    const slow = (): boolean => {
      nowMs += hugeWaitMs / 4 + 1;
      return true;
    };
    expect(asked(320 * mib, { collapse: slow }, () => nowMs)).toBe(4);
  });

  it('and mapped nowhere afterwards, also when that fails', () => {
    const mapped = new Set<number>();
    const os = osCalls();
    const calls: Partial<OsCalls> = {
      map(...values) {
        const address = os.map(...values);
        mapped.add(address);
        return address;
      },
      unmap(address, sizeBytes) {
        mapped.delete(address);
        os.unmap(address, sizeBytes);
      },
    };
    expect(asked(32 * mib, calls)).toBeGreaterThan(0);
    const full = {
      ...calls,
      allocate: () => {
        throw Object.assign(new Error('injected ENOSPC'), { code: 'ENOSPC' });
      },
    };
    expect(() => asked(32 * mib, full)).toThrow('injected ENOSPC');
    expect(mapped.size).toBe(0);
  });

  it('or refused where the file system has no room, however its pages are', (context) => {
    const tiny = tinyFileSystem(48 * mib);
    if (tiny === undefined) return context.skip('this process may not mount file systems');
    const region = openMappedRegion(join(tiny, 'pool'), 'own', options);
    expect(() => region.addSegment(() => {})).toThrow(
      expect.objectContaining({ code: 'memory_unavailable' }),
    );
    expect(readdirSync(join(tiny, 'pool'))).not.toContain('segment-0001');
    expect(region.segments).toHaveLength(1);
    region.close();
  });
});

describe('a shared region', () => {
  it('has huge pages where it is touched, unless it is small', (context) => {
    const allowed = readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'latin1');
    if (allowed.includes('[never]'))
      return context.skip('this machine has no huge pages (transparent_hugepage/enabled is never)');
    const hugeKibOf = (segmentBytes: number): number => {
      const region = createSharedRegion({ capacityBytes: 128 * mib, segmentBytes, ...identity });
      const segment = segmentOf(region, 0);
      segment.bytes[segmentBytes / 2] = 1;
      return mappedKib(segment, 'AnonHugePages');
    };
    expect(hugeKibOf(64 * mib)).toBeGreaterThanOrEqual(hugePageBytes / 1024);
    expect(hugeKibOf(16 * mib)).toBe(allowed.includes('[always]') ? hugeKibOf(16 * mib) : 0);
  });
});
