/**
 * LMDB as it is, on a disk that loses its power: every call of real processes that writes is recorded, and what is left after any of them, with
 * any of the pages written since the last sync, is opened on a machine that was started anew.
 */

import { describe, expect, it } from 'vitest';
import { rounds, seed } from '../support/seed.ts';
import type { Names } from './support/disk.ts';
import { faultsAfter, Judge } from './support/judge.ts';
import { kind } from './support/log.ts';
import { outages, recordProgram, type Recording, needsCompiler } from './support/recorded.ts';

const writer = new URL('clients/lmdb-writer.mjs', import.meta.url);
const judge = new URL('clients/lmdb-judge.mjs', import.meta.url);
/** Of each of the two processes. */
const transactions = 40;

/** Runs the writers. */
function written(told: 'flushed' | 'begun', syncs: 'overlapping' | 'plain'): Recording {
  return recordProgram(writer, [String(transactions), told, syncs]);
}

/** What is wrong after so many outages, within the first `calls` if that is given. */
async function faults(
  recording: Recording,
  count: number,
  names: Names,
  calls?: number,
): Promise<string[]> {
  const left = outages(recording, count, seed(), names, calls);
  return faultsAfter(judge, left, async ({ image, acknowledged }, opener) => {
    // What is in the lock file does not outlive a boot: whoever opens the environment first makes it anew.
    image.delete('environment/lock.mdb');
    const answer = await opener.ask(image);
    const promised = Math.max(0, ...acknowledged.map(Number));
    if (!/^\d+$/.test(answer)) return `${answer}, promised ${promised}`;
    return Number(answer) < promised ? `promised ${promised}, found ${answer}` : undefined;
  });
}

describe('LMDB on a disk that loses its power', () => {
  needsCompiler();

  it.each(['overlapping', 'plain'] as const)(
    'keeps every transaction that was flushed, whole, and opens: %s syncs',
    async (syncs) => {
      const recording = written('flushed', syncs);
      // What is written through a mapping is not recorded.
      const mapped = recording.records.filter(({ kind: what }) => what === kind.mapped);
      expect(mapped.every(({ path }) => path.endsWith('lock.mdb'))).toBe(true);
      const count = rounds(60, 1000);
      for (const names of ['journal', 'loose'] as const)
        expect(await faults(recording, count, names)).toEqual([]);
      process.stdout.write(`  ${recording.records.length} calls, ${2 * count} outages\n`);
    },
  );

  it('is seen to lose what has only begun: the recording finds what is wrong', async () => {
    const recording = written('begun', 'plain');
    expect((await faults(recording, rounds(40, 200), 'journal')).length).toBeGreaterThan(0);
  });

  it.each(['journal', 'loose'] as const)(
    'opens however new it is, when it gets its name last: %s names',
    async (names) => {
      const recording = written('flushed', 'plain');
      expect(await faults(recording, rounds(60, 300), names, 30)).toEqual([]);
    },
  );

  it('kills who opens it without its first page, which is why it gets its name last', async () => {
    const opener = new Judge(judge);
    const image = new Map([
      ['environment', undefined],
      ['environment/data.mdb', Buffer.alloc(8192)],
    ]);
    expect(await opener.ask(image)).toBe('died of SIGSEGV');
    await opener.end();
  });
});
