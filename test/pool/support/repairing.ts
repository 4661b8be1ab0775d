/** A pool of parts of all sorts, as it was closed and as a death has left it, to be damaged and repaired. */

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import { CenoteError } from '../../../src/errors.ts';
import type { Pool } from '../../../src/pool/api.ts';
import { openPool } from '../../../src/pool/open.ts';
import { repairPool, type RepairReport } from '../../../src/pool/repair.ts';
import { mib, read } from './pools.ts';

const sizes = { capacityBytes: 12 * mib, segmentBytes: 4 * mib };
const contexts = 60;
export const hour: number = 3_600_000;

/** Everything that is known of a part, under its names. */
export type Parts = Map<string, string>;

function nameOf(id: string, part: string): string {
  return JSON.stringify([id, part]);
}

/** What is told of all parts that can be read, but for their uses, which count reads too. */
export function partsOf(pool: Pool): Parts {
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

/** @returns bytes of parts before something was appended */
function fill(pool: Pool): Parts {
  const shorter: Parts = new Map();
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
  return shorter;
}

/** The bytes of a part, without what has no checksum. */
function bytesIn(text: string | undefined): unknown {
  return text === undefined ? undefined : (JSON.parse(text) as unknown[])[1];
}

/** Reference of the first entry with these names, in a pool of one segment. */
export function entryOf(bytes: Buffer, names: string): number {
  return (bytes.indexOf(names) - 4) / 64 - 1;
}

export class RepairStage {
  /** The parts before the damage. */
  before: Parts = new Map();
  /** Bytes of parts before something was appended: a bit that flips says which of the two counts. */
  shorter: Parts = new Map();
  /** Where a pool is damaged and repaired; it goes after each test. */
  path = '';
  #scratch = '';

  async fill(): Promise<void> {
    this.#scratch = mkdtempSync(join(tmpdir(), 'cenote-repair-'));
    this.path = join(this.#scratch, 'pool');
    const pool = await openPool({ path: join(this.#scratch, 'base'), ...sizes });
    this.shorter = fill(pool);
    this.before = partsOf(pool);
    cpSync(join(this.#scratch, 'base'), join(this.#scratch, 'died'), { recursive: true });
    await pool.close();
  }

  clear(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  remove(): void {
    rmSync(this.#scratch, { recursive: true, force: true });
  }

  place(image: 'base' | 'died' = 'base'): void {
    cpSync(join(this.#scratch, image), this.path, { recursive: true });
  }

  segment(number: number): string {
    return join(this.path, `segment-000${number}`);
  }

  /** Changes the bytes of a segment where they lie. */
  change(number: number, how: (bytes: Buffer) => void): void {
    const bytes = readFileSync(this.segment(number));
    how(bytes);
    writeFileSync(this.segment(number), bytes);
  }
}

/** Opens the repaired pool: it is sound, and each part is as it was; only its bytes, where what has no checksum may have changed. */
export async function expectRepaired(
  stage: RepairStage,
  report: RepairReport,
  onlyBytes = false,
): Promise<Parts> {
  const pool = await openPool({ path: stage.path });
  expect(pool.check().errors).toEqual([]);
  const after = partsOf(pool);
  // Damaged times may be over.
  if (!onlyBytes) expect(after.size).toBe(report.parts);
  const impaired = new Set(report.impaired.map(({ id, part }) => nameOf(id, part)));
  for (const [name, text] of after) {
    const was = stage.before.get(name);
    if (onlyBytes) expect([bytesIn(was), stage.shorter.get(name)]).toContain(bytesIn(text));
    else if (!impaired.has(name)) expect(text).toBe(was);
  }
  const lost = new Set(report.dropped.map(({ id, part }) => nameOf(id, part)));
  const missing = [...stage.before.keys()].filter((name) => !after.has(name) && !lost.has(name));
  // What the pool has counted may be damaged too.
  if (!onlyBytes) expect(missing.length).toBeLessThanOrEqual(report.unnamed);
  await pool.close();
  return after;
}

/** Repairs what was damaged, and expects that all parts are saved. */
export async function expectAllSaved(stage: RepairStage): Promise<RepairReport> {
  const report = repairPool(stage.path);
  expect((await expectRepaired(stage, report)).size).toBe(stage.before.size);
  expect(report).toMatchObject({ dropped: [], impaired: [], unnamed: 0 });
  return report;
}

/** The stage of all tests of a file. */
export function repairStage(): RepairStage {
  const stage = new RepairStage();
  beforeAll(() => stage.fill());
  afterEach(() => stage.clear());
  afterAll(() => stage.remove());
  return stage;
}
