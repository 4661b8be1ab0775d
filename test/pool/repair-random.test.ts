/** Repair of pools that were damaged at random: nothing that could be read before is lost. */

import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { CenoteError } from '../../src/errors.ts';
import { openPool } from '../../src/pool/open.ts';
import { repairPool } from '../../src/pool/repair.ts';
import { rounds, seed } from '../support/seed.ts';
import { mib } from './support/pools.ts';
import { expectRepaired, partsOf, repairStage } from './support/repairing.ts';

const stage = repairStage();

const pageBytes = 4096;

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
      const names = [...partsOf(pool)].filter(([name, text]) => stage.before.get(name) === text);
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

it('repair saves all of what is intact and nothing else, whatever the damage', async () => {
  const random = new Random(seed());
  const sums = { saved: 0, lost: 0, refused: 0 };
  for (let round = 0; round < rounds(6, 50); round++) {
    stage.place(random.below(2) === 0 ? 'base' : 'died');
    const numbers = readdirSync(stage.path).filter((name) => name.startsWith('segment')).length;
    for (let i = 1 + random.below(4); i > 0; i--)
      stage.change(random.below(numbers), (bytes) => damage(bytes, random));
    const readable = await readableIn(stage.path);
    try {
      const report = repairPool(stage.path);
      const after = await expectRepaired(stage, report, true);
      const worse = readable.names.filter((name) => !after.has(name));
      expect(worse.length, `${worse.join()} of round ${round}`).toBeLessThanOrEqual(
        readable.impossible,
      );
      sums.saved += report.parts;
      sums.lost += stage.before.size - report.parts;
    } catch (error) {
      if (!(error instanceof CenoteError)) throw error;
      expect([error.code, readable.names]).toEqual(['pool_corrupt', []]);
      sums.refused++;
    }
    stage.clear();
  }
  process.stdout.write(`  ${JSON.stringify(sums)}\n`);
});
