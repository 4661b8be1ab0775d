/**
 * The files of a mapped pool when the power fails. Nobody syncs them after their creation: each page may have what it had at any moment.
 * Whatever is found, a part that is read is one that was written under its name, or it is reported, and nothing faults.
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { CenoteError } from '../../src/errors.ts';
import type * as Process from '../../src/memory/process.ts';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { repairPool } from '../../src/pool/repair.ts';
import { rounds, seed } from '../support/seed.ts';
import { expectNoFaults, type Image, pageBytes, place, poolImages } from './support/pool-images.ts';

const boot = vi.hoisted(() => ({ id: undefined as string | undefined }));

vi.mock('../../src/memory/process.ts', async (original) => {
  const real = await original<typeof Process>();
  return { ...real, thisBootId: () => boot.id ?? real.thisBootId() };
});

const images = poolImages();

beforeEach(() => {
  boot.id = undefined;
});

interface Found {
  outcome: string;
  parts: number;
  corrupt: number;
  /** What check says. */
  reported: number;
  /** Parts that repair has saved. */
  saved: number;
  /** What may never be. */
  faults: string[];
}

/** Opens files, reads every part that is told of, writes to the pool, and closes it. Where damage shows, it is repaired and read again. */
async function use(files: Image): Promise<Found> {
  const path = join(images.scratch, 'opened');
  place(files, path);
  const found = await readAll(path);
  rmSync(path, { recursive: true, force: true });
  if (found.outcome === 'opened' && found.reported === 0) return found;
  place(files, path);
  try {
    repairPool(path);
    const repaired = await readAll(path);
    if (repaired.outcome !== 'opened' || repaired.reported + repaired.corrupt > 0)
      found.faults.push(`repaired, and still ${repaired.outcome}`);
    found.faults.push(...repaired.faults);
    found.saved = repaired.parts;
  } catch (error) {
    if (!(error instanceof CenoteError)) throw error;
    found.outcome += ' and beyond repair';
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
  return found;
}

async function readAll(path: string): Promise<Found> {
  const found: Found = {
    outcome: 'opened',
    parts: 0,
    corrupt: 0,
    reported: 0,
    saved: 0,
    faults: [],
  };
  try {
    const pool = await openPool({ path });
    for (const name of images.written.keys()) readPart(pool, name, found);
    found.reported = pool.check().errors.length;
    pool.put('after', 'all', new Uint8Array(10_000));
    await pool.close();
  } catch (error) {
    if (!(error instanceof CenoteError)) throw error;
    found.outcome = error.code;
  }
  return found;
}

function readPart(pool: Pool, name: string, found: Found): void {
  const [id, part] = name.split('/') as [string, string];
  try {
    const lease = pool.get(id, part);
    if (lease === undefined) return;
    found.parts++;
    const text = Buffer.from(lease.data as Uint8Array).toString('base64');
    lease.release();
    if (images.written.get(name)?.has(text) !== true) found.faults.push(`${name} was never that`);
  } catch (error) {
    if (!(error instanceof CenoteError)) throw error;
    found.corrupt++;
  }
}

/** Counts outcomes over many tries, and gathers what may never be. */
class Tally {
  readonly counts: Record<string, number> = {};
  readonly faults: string[] = [];

  add(found: Found, name: string): void {
    const seen = [found.outcome];
    if (found.reported > 0) seen.push('damage reported');
    for (const what of seen) this.counts[what] = (this.counts[what] ?? 0) + 1;
    this.counts['parts read'] = (this.counts['parts read'] ?? 0) + found.parts;
    this.counts['parts saved'] = (this.counts['parts saved'] ?? 0) + found.saved;
    for (const fault of found.faults) this.faults.push(`${name}: ${fault}`);
  }
}

/** Pages from any moment up to `last`; files that came later are there or not. */
function afterOutage(random: Random, last: number): Image {
  const files = new Map<string, Buffer>();
  const share = [0, 20, 50, 90][random.below(4)] as number;
  for (const [name, newest] of images.moments[last] as Image) {
    const bytes = Buffer.from(newest);
    for (let at = 0; at < bytes.length; at += pageBytes) {
      if (random.below(100) < share) continue;
      const older = images.moments[random.below(last + 1)]?.get(name);
      if (older === undefined) bytes.fill(0, at, at + pageBytes);
      else older.copy(bytes, at, at, at + pageBytes);
    }
    const isFirst = name === 'segment-0000';
    const draw = isFirst ? 9 : random.below(10);
    if (draw === 0) continue;
    files.set(name, draw === 1 ? bytes.subarray(0, pageBytes * random.below(20)) : bytes);
  }
  return files;
}

describe('a pool on a disk that loses its power', () => {
  it('reads what was written or says what is lost', async () => {
    const random = new Random(seed());
    const tally = new Tally();
    boot.id = '00000000000040008000000000000001';
    for (let round = 0; round < rounds(30, 400); round++) {
      const last = 1 + random.below(images.moments.length - 1);
      tally.add(await use(afterOutage(random, last)), `round ${round} of seed ${seed()}`);
    }
    expectNoFaults('outages', tally);
    expect(tally.counts['opened']).toBeGreaterThan(0);
  });
});
