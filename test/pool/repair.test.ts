/** Repair of damaged pools: what is intact is saved as it was, what is lost is told, and nothing becomes worse. */

import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { CenoteError } from '../../src/errors.ts';
import {
  control,
  controlByte,
  segmentHeaderByte,
  superblockBByte,
} from '../../src/memory/layout.ts';
import { ownerSlot, ownerWord } from '../../src/memory/owners.ts';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { repairPool, type RepairReport } from '../../src/pool/repair.ts';
import { rounds, seed } from '../support/seed.ts';
import { read } from './support/pools.ts';

const mib = 2 ** 20;
const pageBytes = 4096;
const sizes = { capacityBytes: 12 * mib, segmentBytes: 4 * mib };
const contexts = 60;
const hour = 3_600_000;

let scratch: string;
let path: string;

/** Everything that is known of a part. */
type Parts = Map<string, string>;

function nameOf(id: string, part: string): string {
  return JSON.stringify([id, part]);
}

/** @param alike leaves out what repair may change: uses count reads too */
function partsOf(pool: Pool): Parts {
  const parts: Parts = new Map();
  for (const { id, parts: infos } of pool.list({ limit: 10_000 })) {
    for (const info of infos) {
      const bytes = readWhole(pool, id, info.part);
      if (bytes !== undefined)
        parts.set(nameOf(id, info.part), JSON.stringify([{ ...info, uses: 0 }, bytes]));
    }
  }
  return parts;
}

/** The bytes of a part that matches its checksum. */
function readWhole(pool: Pool, id: string, part: string): string | undefined {
  try {
    return read(pool, id, part)?.toString('base64');
  } catch (error) {
    if (error instanceof CenoteError) return undefined;
    throw error;
  }
}

function fill(pool: Pool): void {
  const random = new Random(3);
  for (let i = 0; i < contexts; i++) {
    const id = `context-${i}${i % 4 === 0 ? '-with-a-long-name'.repeat(8) : ''}`;
    pool.put(
      id,
      'tokens',
      Uint32Array.from({ length: random.below(3000) }, (_, n) => n * i),
      {
        tags: i % 3 === 0 ? [] : ['all', `tag-${i % 5}`],
        pinned: i % 7 === 0,
      },
    );
    shorter.set(nameOf(id, 'tokens'), readWhole(pool, id, 'tokens') as string);
    pool.append(id, 'tokens', Uint32Array.of(1, 2, 3));
    pool.put(id, 'about', `Conversation ${i}`, { ttlMs: hour * (1 + i) });
    pool.put(id, 'state', new Uint8Array(random.below(220_000)).fill(i), {
      kind: 'attention',
      sensitive: i % 5 === 0,
    });
    if (i % 6 === 0) pool.delete(id, 'about');
    if (i % 6 === 1) pool.put(id, 'state', new Uint8Array(700).fill(i));
  }
  pool.put('empty', 'part', new Uint8Array(0));
  pool.delete('context-59');
}

let before: Parts;
/** Bytes of parts before something was appended: a bit that flips says which of the two counts. */
const shorter: Parts = new Map();

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'cenote-repair-'));
  const pool = await openPool({ path: join(scratch, 'base'), ...sizes });
  fill(pool);
  before = partsOf(pool);
  cpSync(join(scratch, 'base'), join(scratch, 'died'), { recursive: true });
  await pool.close();
});

beforeEach(() => {
  path = join(scratch, 'pool');
});

afterEach(() => rmSync(path, { recursive: true, force: true }));

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function place(image: 'base' | 'died' = 'base'): void {
  cpSync(join(scratch, image), path, { recursive: true });
}

function segment(number: number): string {
  return join(path, `segment-000${number}`);
}

/** Changes the bytes of a segment where they lie. */
function change(number: number, how: (bytes: Buffer) => void): void {
  const bytes = readFileSync(segment(number));
  how(bytes);
  writeFileSync(segment(number), bytes);
}

/** The bytes of a part, without what has no checksum. */
function bytesIn(text: string | undefined): unknown {
  return text === undefined ? undefined : (JSON.parse(text) as unknown[])[1];
}

/** Opens the repaired pool: it is sound, and each part is as it was; only its bytes, where what has no checksum may have changed. */
async function expectRepaired(report: RepairReport, onlyBytes = false): Promise<Parts> {
  const pool = await openPool({ path });
  expect(pool.check().errors).toEqual([]);
  const after = partsOf(pool);
  // Damaged times may be over.
  if (!onlyBytes) expect(after.size).toBe(report.parts);
  const impaired = new Set(report.impaired.map(({ id, part }) => nameOf(id, part)));
  for (const [name, text] of after) {
    const was = before.get(name);
    if (onlyBytes) expect([bytesIn(was), shorter.get(name)]).toContain(bytesIn(text));
    else if (!impaired.has(name)) expect(text).toBe(was);
  }
  const lost = new Set(report.dropped.map(({ id, part }) => nameOf(id, part)));
  const missing = [...before.keys()].filter((name) => !after.has(name) && !lost.has(name));
  // What the pool has counted may be damaged too.
  if (!onlyBytes) expect(missing.length).toBeLessThanOrEqual(report.unnamed);
  await pool.close();
  return after;
}

/** Repairs what was damaged, and expects that all parts are saved. */
async function expectAllSaved(): Promise<RepairReport> {
  const report = repairPool(path);
  expect((await expectRepaired(report)).size).toBe(before.size);
  expect(report).toMatchObject({ dropped: [], impaired: [], unnamed: 0 });
  return report;
}

describe('repair saves everything where nothing is lost but', () => {
  it('the index', async () => {
    place();
    const { rootParts } = await rootsOf();
    change(rootParts >>> 16, (bytes) =>
      bytes.fill(0xff, (rootParts & 0xffff) * 64 + 64, (rootParts & 0xffff) * 64 + 4000),
    );
    await expectAllSaved();
  });

  it('page table, bitmaps and counters', async () => {
    place();
    for (const number of [0, 1]) change(number, (bytes) => bytes.fill(0x5a, 40_960, 49_152));
    await expectAllSaved();
  });

  it('the header of a segment', async () => {
    place();
    for (const number of [0, 1])
      change(number, (bytes) => bytes.fill(0, segmentHeaderByte, segmentHeaderByte + 64));
    const { findings } = await expectAllSaved();
    expect(findings).toHaveLength(2);
  });

  it('the checksums of both superblocks', async () => {
    place();
    change(0, (bytes) => {
      for (const at of [0, superblockBByte]) bytes.writeInt32LE(0, at + 4 * 63);
    });
    await expectAllSaved();
  });

  it('what both superblocks begin with', async () => {
    place();
    change(0, (bytes) => {
      for (const at of [0, superblockBByte]) bytes.writeInt32LE(0, at);
    });
    await expectAllSaved();
  });

  it('one superblock, and the hash seed in the other', async () => {
    place();
    change(0, (bytes) => {
      bytes.writeInt32LE(7, 4 * 24);
      bytes.writeInt32LE(0, superblockBByte + 4 * 63);
    });
    await expectAllSaved();
  });

  it('all words that count and lead', async () => {
    place('died');
    change(0, (bytes) => bytes.fill(0xee, controlByte, controlByte + 64));
    await expectAllSaved();
  });
});

async function rootsOf(): Promise<{ rootParts: number }> {
  const bytes = readFileSync(segment(0));
  return { rootParts: bytes.readInt32LE(4 * 28) };
}

describe('repair tells what is lost when', () => {
  it('a segment is missing', async () => {
    place();
    rmSync(segment(1));
    const report = repairPool(path);
    const after = await expectRepaired(report);
    expect(report.findings).toEqual(['segment 1 is missing']);
    expect(report.dropped.length).toBeGreaterThan(0);
    expect(report.dropped.every(({ why }) => why.includes('are not there'))).toBe(true);
    expect(after.size).toBeGreaterThan(0);
  });

  it('a segment is cut short', async () => {
    place();
    truncateSync(segment(1), 2 * mib + 100);
    const report = repairPool(path);
    await expectRepaired(report);
    expect(report.findings[0]).toMatch(/^segment 1: 2097152 of 4194304 bytes are there$/);
    expect(report.dropped.length).toBeGreaterThan(0);
  });

  it('bytes of a part have changed', async () => {
    place();
    change(0, (bytes) => bytes.write('C0nversation 7', bytes.indexOf('Conversation 7')));
    const report = repairPool(path);
    await expectRepaired(report);
    expect(report.dropped).toMatchObject([
      { id: 'context-7', part: 'about', why: 'its bytes do not match their checksum' },
    ]);
  });

  it('a word of the hash of a part has changed: it may be that of another life of its entry', async () => {
    place();
    for (const [i, field] of [1, 35].entries()) {
      change(0, (bytes) => {
        const at = 64 * entryOf(bytes, `context-${5 + 2 * i}about`) + 4 * field;
        bytes.writeInt32LE(~bytes.readInt32LE(at), at);
      });
    }
    const report = repairPool(path);
    await expectRepaired(report);
    expect(report).toMatchObject({ dropped: [], unnamed: 2, parts: before.size - 2 });
  });

  it('the kind of a part is impossible', async () => {
    place();
    change(0, (bytes) => {
      const at = 64 * entryOf(bytes, 'context-5about') + 8;
      bytes.writeInt32LE(bytes.readInt32LE(at) | 7, at);
    });
    const report = repairPool(path);
    expect((await expectRepaired(report)).size).toBe(before.size);
    expect(report.impaired).toMatchObject([{ id: 'context-5', why: 'its kind is lost' }]);
    const pool = await openPool({ path, readOnly: true });
    expect(pool.describe('context-5', 'about')?.kind).toBe('blob');
    await pool.close();
  });

  it('the word that says which bytes count has changed, of a part that was written once', async () => {
    place();
    change(0, (bytes) => {
      const at = 64 * entryOf(bytes, 'context-5about') + 20;
      bytes.writeInt32LE(bytes.readInt32LE(at) ^ 1, at);
    });
    const report = repairPool(path);
    await expectRepaired(report);
    expect(report.dropped).toMatchObject([{ id: 'context-5', why: 'its bytes are not there' }]);
  });

  it('a tag has changed', async () => {
    place();
    change(0, (bytes) => bytes.write('tog', bytes.indexOf('tag-1')));
    const report = repairPool(path);
    const after = await expectRepaired(report);
    expect(after.size).toBe(before.size);
    expect(report.impaired).toHaveLength(1);
    expect(report.impaired[0]?.why).toBe('some of its tags are lost');
  });

  it('a key has changed: it has no name any more', async () => {
    place();
    change(0, (bytes) => bytes.write('cantext-7about', bytes.indexOf('context-7about')));
    const report = repairPool(path);
    await expectRepaired(report);
    expect(report).toMatchObject({ dropped: [], unnamed: 1, parts: before.size - 1 });
  });
});

describe('repair', () => {
  it('saves all of what is intact and nothing else, whatever the damage', async () => {
    const random = new Random(seed());
    const sums = { saved: 0, lost: 0, refused: 0 };
    for (let round = 0; round < rounds(6, 100); round++) {
      place(random.below(2) === 0 ? 'base' : 'died');
      const numbers = readdirSync(path).filter((name) => name.startsWith('segment')).length;
      for (let i = 1 + random.below(4); i > 0; i--)
        change(random.below(numbers), (bytes) => damage(bytes, random));
      const readable = await readableIn(path);
      try {
        const report = repairPool(path);
        const after = await expectRepaired(report, true);
        const worse = readable.names.filter((name) => !after.has(name));
        expect(worse.length, `${worse.join()} of round ${round}`).toBeLessThanOrEqual(
          readable.impossible,
        );
        sums.saved += report.parts;
        sums.lost += before.size - report.parts;
      } catch (error) {
        if (!(error instanceof CenoteError)) throw error;
        expect([error.code, readable.names]).toEqual(['pool_corrupt', []]);
        sums.refused++;
      }
      rmSync(path, { recursive: true, force: true });
    }
    process.stdout.write(`  ${JSON.stringify(sums)}\n`);
  });

  it('changes nothing in what it has repaired', async () => {
    place();
    change(0, (bytes) => bytes.fill(0, 40_960, 45_056));
    await expectRepaired(repairPool(path));
    const again = repairPool(path);
    expect(again).toMatchObject({
      parts: before.size,
      dropped: [],
      impaired: [],
      findings: [],
      unnamed: 0,
    });
    await expectRepaired(again);
    expect(readdirSync(path).filter((name) => name.startsWith('damaged'))).toEqual([
      'damaged-1',
      'damaged-2',
    ]);
  });

  it('keeps the damaged segments, and what else is in the folder', async () => {
    place();
    writeFileSync(join(path, 'note'), 'mine');
    change(0, (bytes) => bytes.fill(0, 40_960, 45_056));
    const image = readFileSync(segment(0));
    const { backup } = repairPool(path);
    expect(backup).toBe(join(path, 'damaged-1'));
    expect(readFileSync(join(backup, 'segment-0000')).equals(image)).toBe(true);
    expect(readFileSync(join(path, 'note'), 'utf8')).toBe('mine');
    expect(existsSync(join(path, 'repaired'))).toBe(false);
  });

  it('refuses, and changes nothing, where the seed of the hashes is lost', async () => {
    place();
    change(0, (bytes) => {
      for (const at of [0, superblockBByte])
        bytes.writeInt32LE(bytes.readInt32LE(at + 96) ^ 1, at + 96);
    });
    const images = [0, 1].map((number) => readFileSync(segment(number)));
    expect(() => repairPool(path)).toThrow(expect.objectContaining({ code: 'pool_corrupt' }));
    for (const [number, image] of images.entries())
      expect(readFileSync(segment(number)).equals(image)).toBe(true);
    expect(readdirSync(path).filter((name) => /repair|damaged/.test(name))).toEqual([]);
  });

  it('leaves a pool alone that somebody has open', async () => {
    place();
    const pool = await openPool({ path });
    const joined = await openPool({ handle: pool.handle });
    expect(() => repairPool(path)).toThrow(expect.objectContaining({ code: 'pool_busy' }));
    await pool.close();
    expect(() => repairPool(path)).toThrow(expect.objectContaining({ code: 'pool_busy' }));
    await joined.close();
    rmSync(path, { recursive: true });
    expect(() => repairPool(path)).toThrow(expect.objectContaining({ code: 'not_a_pool' }));
  });

  it('does not bring back what was deleted, replaced, or only stored as bytes', async () => {
    const first = await openPool({ path, capacityBytes: 16 * mib, segmentBytes: 8 * mib });
    for (let i = 0; i < 20; i++) first.put(`gone-${i}`, 'p', new Uint8Array(300).fill(i));
    // The entries as they are now, live, become bytes of a part.
    const image = readFileSync(segment(0)).subarray(0, mib);
    for (let i = 0; i < 20; i++) first.delete(`gone-${i}`);
    first.put('kept', 'image', image);
    first.put('kept', 'other', Uint8Array.of(1));
    const last = first.put('gone', 'p', Uint8Array.of(2));
    first.delete('gone');
    await first.close();
    const { parts, dropped } = repairPool(path);
    expect({ parts, dropped }).toEqual({ parts: 2, dropped: [] });
    const pool = await openPool({ path, clock: { nowMs: () => 1 } });
    expect(pool.list().map(({ id }) => id)).toEqual(['kept']);
    expect(read(pool, 'kept', 'image')?.equals(image)).toBe(true);
    expect(pool.put('gone', 'p', Uint8Array.of(3))).toBeGreaterThan(last);
    await pool.close();
  });

  it('takes the higher version where a death has left two', async () => {
    const pool = await openPool({ path, capacityBytes: 4 * mib });
    const versions = [1, 2].map((n) =>
      pool.put('chat', 'p', Uint8Array.of(n), { tags: [`t${n}`] }),
    );
    await pool.close();
    change(0, (bytes) => {
      // The entry that was replaced is live again; its bytes are still there.
      const [one, other] = [entryOf(bytes, 'chatp'), lastEntryOf(bytes, 'chatp')];
      for (const entry of [one, other])
        bytes.writeInt32LE((bytes.readInt32LE(64 * entry) & ~15) | 2, 64 * entry);
    });
    expect(repairPool(path)).toMatchObject({ parts: 1, dropped: [] });
    const repaired = await openPool({ path });
    expect(repaired.describe('chat', 'p')?.version).toBe(versions[1]);
    expect(read(repaired, 'chat', 'p')).toEqual(Buffer.of(2));
    await repaired.close();
  });

  it('completes the deletion of a context that a death has cut short', async () => {
    const pool = await openPool({ path, capacityBytes: 4 * mib });
    pool.put('half', 'one', Uint8Array.of(1));
    pool.put('half', 'two', Uint8Array.of(2));
    pool.put('whole', 'one', Uint8Array.of(3));
    cpSync(path, `${path}-died`, { recursive: true });
    await pool.close();
    rmSync(path, { recursive: true });
    cpSync(`${path}-died`, path, { recursive: true });
    rmSync(`${path}-died`, { recursive: true });
    change(0, (bytes) => {
      const entry = entryOf(bytes, 'halfone');
      bytes.writeInt32LE(entry, 4 * ownerWord(0, ownerSlot.intentEntry));
      bytes.writeInt32LE(1, 4 * ownerWord(0, ownerSlot.intentOp));
    });
    expect(repairPool(path)).toMatchObject({ parts: 1, dropped: [] });
    const repaired = await openPool({ path });
    expect(repaired.list().map(({ id }) => id)).toEqual(['whole']);
    await repaired.close();
  });

  it('takes no version clock for true that runs years ahead', async () => {
    place();
    change(0, (bytes) => bytes.writeInt32LE(0x1f_ff_ff, controlByte + 4 * control.versionHigh));
    await expectAllSaved();
    const pool = await openPool({ path });
    expect(pool.put('new', 'p', Uint8Array.of(1))).toBeLessThan((Date.now() + hour) * 2048);
    await pool.close();
  });
});

/** Reference of the first entry with these names, in a pool of one segment. */
function entryOf(bytes: Buffer, names: string): number {
  return (bytes.indexOf(names) - 4) / 64 - 1;
}

function lastEntryOf(bytes: Buffer, names: string): number {
  return (bytes.lastIndexOf(names) - 4) / 64 - 1;
}

interface Readable {
  readonly names: readonly string[];
  /** Entries that may be read, though what they say of themselves cannot be. */
  readonly impossible: number;
}

/** What can be read before the repair. */
async function readableIn(folder: string): Promise<Readable> {
  try {
    const pool = await openPool({ path: folder, readOnly: true });
    try {
      // Damage may have changed what has no checksum: then it is not the part that it was.
      const names = [...partsOf(pool)].filter(([name, text]) => before.get(name) === text);
      const { errors } = pool.check();
      const impossible = errors.filter((error) => error.includes('live and impossible')).length;
      return { names: names.map(([name]) => name), impossible };
    } finally {
      await pool.close();
    }
  } catch (error) {
    if (error instanceof CenoteError) return { names: [], impossible: 0 };
    throw error;
  }
}

const targets = [
  [0, 16_384],
  [16_384, 100_000],
  [40_960, 300_000],
  [0, 4 * mib],
] as const;

function damage(bytes: Buffer, random: Random): void {
  const [from, to] = targets[random.below(targets.length)] as readonly [number, number];
  for (let i = 1 << random.below(8); i > 0; i--) {
    const at = from + (random.below(Math.min(to, bytes.length) - from - pageBytes) & ~3);
    const how = random.below(5);
    if (how < 2) bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.below(8)), at);
    else if (how === 2) bytes.writeInt32LE(random.next() - random.next(), at);
    else if (how === 3) bytes.fill(0, at, at + 64 * random.below(4));
    else if (random.below(8) === 0) bytes.fill(0, at, at + pageBytes);
  }
}
