/** What tests of regions have in common. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { RegionIdentity } from '../../../src/memory/identity.ts';
import type { Region, Segment } from '../../../src/memory/region.ts';

export const mib: number = 2 ** 20;

/** The same for every run: nothing here depends on it. */
export const identity: RegionIdentity = {
  poolUuid: '00112233445566778899aabbccddeeff',
  hashSeedLow: -559_038_737,
  hashSeedHigh: 305_419_896,
  createdAtMs: 1_763_611_200_123,
};

/** The code of the error that `run` throws; 'none' when it throws nothing. */
export function codeOf(run: () => unknown): string {
  try {
    run();
    return 'none';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

/** A fresh folder that goes with the test. */
export function temporaryFolder(base: string = tmpdir()): string {
  const folder = mkdtempSync(join(base, 'cenote-memory-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Segment `number`, which must be there. */
export function segmentOf(region: Region, number: number): Segment {
  const segment = region.segments[number];
  if (segment === undefined) throw new Error(`there is no segment ${number}`);
  return segment;
}
