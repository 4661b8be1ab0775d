/**
 * The files of a mapped pool when the power fails, and when bits of them flip or pages change places. Nobody syncs them after their creation:
 * each page may have what it had at any moment. Whatever is found, a part that is read is one that was written under its name, or it is
 * reported, and nothing faults.
 */

import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { CenoteError } from '../../src/errors.ts';
import type * as Process from '../../src/memory/process.ts';
import { superblockWords } from '../../src/memory/superblock-codec.ts';
import { segmentHeaderByte, superblockAByte, superblockBByte } from '../../src/memory/layout.ts';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { repairPool } from '../../src/pool/repair.ts';
import { rounds, seed } from '../support/seed.ts';

const boot = vi.hoisted(() => ({ id: undefined as string | undefined }));

vi.mock('../../src/memory/process.ts', async (original) => {
  const real = await original<typeof Process>();
  return { ...real, thisBootId: () => boot.id ?? real.thisBootId() };
});

const mib = 2 ** 20;
const pageBytes = 4096;
const sizes = { capacityBytes: 8 * mib, segmentBytes: 4 * mib };
const moments = 6;
const partsPerContext = 4;

let scratch: string;
/** Bytes of each segment file at each moment. */
const images: Map<string, Buffer>[] = [];
/** What was ever written under a name: texts of base64. */
const written = new Map<string, Set<string>>();

function key(id: string, part: string): string {
  return `${id}/${part}`;
}

function remember(pool: Pool, id: string, part: string): void {
  const lease = pool.get(id, part);
  const text = Buffer.from(lease?.data as Uint8Array).toString('base64');
  lease?.release();
  const texts = written.get(key(id, part)) ?? new Set();
  written.set(key(id, part), texts.add(text));
}

/** A moment's worth of changes: puts that replace, appends, deletes, growth into a second segment. */
function change(pool: Pool, random: Random): void {
  for (let i = 0; i < 150; i++) {
    const id = `context-${random.below(40)}${random.below(3) === 0 ? '-long'.repeat(20) : ''}`;
    const part = `part-${random.below(partsPerContext)}`;
    const draw = random.below(10);
    if (draw === 0) pool.delete(id);
    else if (draw < 4) pool.append(id, part, new Uint8Array(random.below(3000)).fill(i));
    else {
      const data = new Uint8Array(random.below(random.below(8) === 0 ? 60_000 : 3000)).fill(i);
      pool.put(id, part, data, { tags: random.below(2) === 0 ? [] : ['all', `t${i % 7}`] });
    }
    if (draw > 0) remember(pool, id, part);
  }
}

function filesOf(path: string): Map<string, Buffer> {
  const names = readdirSync(path).filter((name) => name.startsWith('segment-'));
  return new Map(names.map((name) => [name, readFileSync(join(path, name))]));
}

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'cenote-pool-power-'));
  const path = join(scratch, 'pool');
  const random = new Random(7);
  const pool = await openPool({ path, ...sizes });
  for (let moment = 0; moment < moments; moment++) {
    images.push(filesOf(path));
    change(pool, random);
  }
  images.push(filesOf(path));
  await pool.close();
  images.push(filesOf(path));
});

beforeEach(() => {
  boot.id = undefined;
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

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
async function use(files: ReadonlyMap<string, Buffer>): Promise<Found> {
  const path = join(scratch, 'opened');
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
    for (const name of written.keys()) readPart(pool, name, found);
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
    if (written.get(name)?.has(text) !== true) found.faults.push(`${name} was never that`);
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

/** Prints the counts, and demands that there is nothing that may never be. */
function expectNoFaults(
  what: string,
  { counts, faults }: { readonly counts: object; readonly faults: readonly string[] },
): void {
  process.stdout.write(`  ${what}: ${JSON.stringify(counts)}\n`);
  expect(faults.slice(0, 10)).toEqual([]);
}

/** Pages from any moment up to `last`; files that came later are there or not. */
function afterOutage(random: Random, last: number): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const share = [0, 20, 50, 90][random.below(4)] as number;
  for (const [name, newest] of images[last] as Map<string, Buffer>) {
    const bytes = Buffer.from(newest);
    for (let at = 0; at < bytes.length; at += pageBytes) {
      if (random.below(100) < share) continue;
      const older = images[random.below(last + 1)]?.get(name);
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

/** A segment header in use, in words. */
const headerWords = 9;

interface Place {
  readonly name: string;
  readonly bit: number;
}

interface PageAt {
  readonly name: string;
  readonly at: number;
  readonly bytes: Buffer;
}

function place(files: ReadonlyMap<string, Buffer>, path: string): void {
  mkdirSync(path, { mode: 0o700 });
  for (const [name, bytes] of files) writeFileSync(join(path, name), bytes, { mode: 0o600 });
}

/** All there is to be read, in one text; undefined with what was reported. */
async function look(path: string): Promise<string | undefined> {
  try {
    const pool = await openPool({ path, readOnly: true });
    const isSound = pool.check().ok;
    const text = JSON.stringify(pool.list({ limit: 10_000 }));
    await pool.close();
    return isSound ? text : undefined;
  } catch (error) {
    if (!(error instanceof CenoteError)) throw error;
    return undefined;
  }
}

/** Counts what damage does: nothing that shows, or something that is said. */
class Damage {
  readonly #sound: string;
  readonly counts = { harmless: 0, detected: 0 };
  readonly faults: string[] = [];

  constructor(sound: string | undefined) {
    if (sound === undefined) throw new Error('the pool is not sound to begin with');
    this.#sound = sound;
  }

  async tell(path: string, what: string): Promise<void> {
    const found = await look(path);
    if (found === undefined) this.counts.detected++;
    else if (found === this.#sound) this.counts.harmless++;
    else this.faults.push(what);
  }
}

describe('a pool on a disk that loses its power', () => {
  it('reads what was written or says what is lost', async () => {
    const random = new Random(seed());
    const tally = new Tally();
    boot.id = '00000000000040008000000000000001';
    for (let round = 0; round < rounds(30, 400); round++) {
      const last = 1 + random.below(images.length - 1);
      tally.add(await use(afterOutage(random, last)), `round ${round} of seed ${seed()}`);
    }
    expectNoFaults('outages', tally);
    expect(tally.counts['opened']).toBeGreaterThan(0);
  });
});

describe('a pool whose files are damaged', () => {
  let path: string;
  let damage: Damage;

  beforeEach(async () => {
    path = join(scratch, 'damaged');
    place(images.at(-1) as Map<string, Buffer>, path);
    damage = new Damage(await look(path));
  });

  afterEach(() => rmSync(path, { recursive: true, force: true }));

  /** Flips bits of files where they lie; a second time puts them right. */
  function flip(places: readonly Place[]): void {
    for (const { name, bit } of places) {
      const file = openSync(join(path, name), 'r+');
      const byte = Buffer.alloc(1);
      readSync(file, byte, 0, 1, bit >> 3);
      writeSync(file, Buffer.of((byte[0] as number) ^ (1 << (bit & 7))), 0, 1, bit >> 3);
      closeSync(file);
    }
  }

  it('notices every flipped bit of superblocks and segment headers that matters', async () => {
    const places: Place[][] = [];
    for (const name of readdirSync(path).filter((each) => each.startsWith('segment'))) {
      for (let bit = 0; bit < headerWords * 32; bit++)
        places.push([{ name, bit: segmentHeaderByte * 8 + bit }]);
    }
    // Of one copy, where the other serves, and of both.
    const copies = [[superblockAByte], [superblockBByte], [superblockAByte, superblockBByte]];
    for (let bit = 0; bit < superblockWords * 32; bit++) {
      for (const copy of copies)
        places.push(copy.map((at) => ({ name: 'segment-0000', bit: at * 8 + bit })));
    }
    const step = rounds(48, 1);
    for (let i = seed() % step; i < places.length; i += step) {
      flip(places[i] as Place[]);
      await damage.tell(path, JSON.stringify(places[i]));
      flip(places[i] as Place[]);
    }
    expectNoFaults(`${places.length} flips, every ${step}`, damage);
    expect(Math.min(...Object.values(damage.counts))).toBeGreaterThan(0);
  });

  it('notices pages that have changed places', async () => {
    const random = new Random(seed());
    const segments = [...(images.at(-1) as Map<string, Buffer>)];
    const pick = (): PageAt => {
      const [name, bytes] = segments[random.below(segments.length)] as [string, Buffer];
      // Half of them among headers, bitmaps and the first data.
      const at = random.below(random.below(2) === 0 ? 60 : bytes.length / pageBytes) * pageBytes;
      return { name, at, bytes: bytes.subarray(at, at + pageBytes) };
    };
    const write = ({ name, at }: PageAt, bytes: Buffer): void => {
      const file = openSync(join(path, name), 'r+');
      writeSync(file, bytes, 0, pageBytes, at);
      closeSync(file);
    };
    for (let round = 0; round < rounds(40, 500); round++) {
      const [one, other] = [pick(), pick()];
      write(one, other.bytes);
      write(other, one.bytes);
      await damage.tell(path, `swap ${round} of seed ${seed()}`);
      write(one, one.bytes);
      write(other, other.bytes);
    }
    expectNoFaults('swapped pages', damage);
  });
});
