/** The files of a mapped pool at several moments of its life: what a power loss or damage makes others of. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import type { Pool } from '../../../src/pool/api.ts';
import { openPool } from '../../../src/pool/open.ts';

const mib = 2 ** 20;
export const pageBytes = 4096;
const sizes = { capacityBytes: 8 * mib, segmentBytes: 4 * mib };
const moments = 6;
const partsPerContext = 4;

/** Bytes of each segment file. */
export type Image = ReadonlyMap<string, Buffer>;

function filesOf(path: string): Image {
  const names = readdirSync(path).filter((name) => name.startsWith('segment-'));
  return new Map(names.map((name) => [name, readFileSync(join(path, name))]));
}

export class PoolImages {
  /** A folder that goes when all tests of the file are over. */
  scratch = '';
  /** From an empty pool to one that was closed. */
  readonly moments: Image[] = [];
  /** What was ever written under a name: texts of base64. */
  readonly written: Map<string, Set<string>> = new Map();

  async take(): Promise<void> {
    this.scratch = mkdtempSync(join(tmpdir(), 'cenote-pool-power-'));
    const path = join(this.scratch, 'pool');
    const random = new Random(7);
    const pool = await openPool({ path, ...sizes });
    for (let moment = 0; moment < moments; moment++) {
      this.moments.push(filesOf(path));
      this.#change(pool, random);
    }
    this.moments.push(filesOf(path));
    await pool.close();
    this.moments.push(filesOf(path));
  }

  get closed(): Image {
    return this.moments.at(-1) as Image;
  }

  /** A moment's worth of changes: puts that replace, appends, deletes, growth into a second segment. */
  #change(pool: Pool, random: Random): void {
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
      if (draw > 0) this.#remember(pool, id, part);
    }
  }

  #remember(pool: Pool, id: string, part: string): void {
    const lease = pool.get(id, part);
    const text = Buffer.from(lease?.data as Uint8Array).toString('base64');
    lease?.release();
    const texts = this.written.get(`${id}/${part}`) ?? new Set();
    this.written.set(`${id}/${part}`, texts.add(text));
  }
}

/** Images for all tests of a file. */
export function poolImages(): PoolImages {
  const images = new PoolImages();
  beforeAll(() => images.take());
  afterAll(() => rmSync(images.scratch, { recursive: true, force: true }));
  return images;
}

/** Puts files where a pool can be opened. */
export function place(files: Image, path: string): void {
  mkdirSync(path, { mode: 0o700 });
  for (const [name, bytes] of files) writeFileSync(join(path, name), bytes, { mode: 0o600 });
}

/** Prints the counts, and demands that there is nothing that may never be. */
export function expectNoFaults(
  what: string,
  { counts, faults }: { readonly counts: object; readonly faults: readonly string[] },
): void {
  process.stdout.write(`  ${what}: ${JSON.stringify(counts)}\n`);
  expect(faults.slice(0, 10)).toEqual([]);
}
