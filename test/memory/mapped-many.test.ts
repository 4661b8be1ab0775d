/** A thousand tenants in one process: what each pool costs in descriptors, mappings and memory. */

import { readFileSync, readdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import { codeOf, identity, mib, segmentOf, temporaryFolder } from './support/regions.ts';

const wanted = 1000;

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

function mappingsOf(folder: string): number {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes(folder)).length;
}

describe('many small pools', () => {
  it('cost one descriptor and one mapping each, and nothing after closing', () => {
    const folder = temporaryFolder();
    const free = statfsSync(folder);
    // Files are reserved whole: 4 GiB in all, where there is room for them.
    const count = free.bavail * free.bsize > 2 * wanted * 4 * mib ? wanted : 50;
    const before = { descriptors: descriptors(), rss: process.memoryUsage().rss };
    const regions = Array.from({ length: count }, (_, i) =>
      openMappedRegion(join(folder, `tenant-${i}`), 'own', { capacityBytes: 4 * mib, ...identity }),
    );
    expect(descriptors() - before.descriptors).toBe(count);
    expect(mappingsOf(folder)).toBe(count);
    const residentBytes = (process.memoryUsage().rss - before.rss) / count;
    process.stdout.write(
      `${count} pools of 4 MiB: ${Math.round(residentBytes / 1024)} KiB resident each\n`,
    );

    regions.forEach((region, i) => {
      expect(region.segments.length).toBe(1);
      segmentOf(region, 0).words[100_000] = i;
    });
    expect(codeOf(() => openMappedRegion(join(folder, 'tenant-7'), 'own'))).toBe('pool_busy');
    regions.forEach((region, i) => expect(segmentOf(region, 0).words[100_000]).toBe(i));
    for (const region of regions) region.close();
    expect(descriptors()).toBe(before.descriptors);
    expect(mappingsOf(folder)).toBe(0);
  });
});
