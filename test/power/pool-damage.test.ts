/**
 * The files of a mapped pool when bits of them flip or pages change places: it shows nowhere, or it is reported, and nothing faults.
 */

import { closeSync, openSync, readdirSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { CenoteError } from '../../src/errors.ts';
import { segmentHeaderByte, superblockAByte, superblockBByte } from '../../src/memory/layout.ts';
import { superblockWords } from '../../src/memory/superblock-codec.ts';
import { openPool } from '../../src/pool/open.ts';
import { rounds, seed } from '../support/seed.ts';
import { expectNoFaults, pageBytes, place, poolImages } from './support/pool-images.ts';

const images = poolImages();

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

describe('a pool whose files are damaged', () => {
  let path: string;
  let damage: Damage;

  beforeEach(async () => {
    path = join(images.scratch, 'damaged');
    place(images.closed, path);
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
    // No multiple of the number of copies: all of them get their turn.
    const step = rounds(47, 1);
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
    const segments = [...images.closed];
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
    for (let round = 0; round < rounds(40, 200); round++) {
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
