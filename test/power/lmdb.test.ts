/**
 * LMDB as it is, on a disk that loses its power: every call of real processes that writes is recorded, and what is left after any of them, with
 * any of the pages written since the last sync, is opened on a machine that was started anew.
 */

import assert from 'node:assert/strict';
import { describe, expect, it } from 'vitest';
import { rounds, seed } from '../support/seed.ts';
import type { Names } from './support/disk.ts';
import { faultsAfter, Judge } from './support/judge.ts';
import { kind, type LogRecord } from './support/log.ts';
import { needsCompiler, outages, recordProgram, type Recording } from './support/recorded.ts';

const writer = new URL('clients/lmdb-writer.mjs', import.meta.url);
const judge = new URL('clients/lmdb-judge.mjs', import.meta.url);
/** Of each of the two processes. */
const transactions = 40;
const pageBytes = 4096;

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

/** Recordings until one has two commits before the first of them is flushed. */
const recordingsMax = 20;

/**
 * What the power may leave then: both roots, and none of the pages that they lead to. With overlapping syncs a commit writes its root at once, and a
 * flushed one is written to a third place later. As long as there is none in that place, LMDB takes the older of the two for flushed.
 */
function beforeFirstFlush(): Buffer {
  for (let recorded = 0; recorded < recordingsMax; recorded++) {
    const { records } = written('flushed', 'overlapping');
    const named = records.findIndex(({ kind: what }) => what === kind.rename);
    const isOfData = ({ path }: LogRecord): boolean => path.endsWith('environment/data.mdb');
    const flushed = records.findIndex((record, i) => {
      return i > named && record.kind === kind.sync && isOfData(record);
    });
    const writes = records
      .slice(0, flushed)
      .filter(({ kind: what, inode }) => what === kind.write && inode === records[flushed]?.inode);
    const begun = writes.filter((write) => records.indexOf(write) > named);
    const rootPages = new Set(begun.map(({ offset }) => Math.floor(offset / pageBytes)));
    if (!rootPages.has(0) || !rootPages.has(1)) continue;
    const data = Buffer.alloc(Math.max(...writes.map(({ offset, length }) => offset + length)));
    for (const { offset, data: bytes } of writes)
      if (offset < 2 * pageBytes) bytes.copy(data, offset);
    return data;
  }
  return assert.fail(`none of ${recordingsMax} recordings has two commits before a flush`);
}

describe('LMDB on a disk that loses its power', () => {
  needsCompiler();

  it('keeps every transaction that was flushed, whole, and opens', async () => {
    const recording = written('flushed', 'plain');
    // What is written through a mapping is not recorded.
    const mapped = recording.records.filter(({ kind: what }) => what === kind.mapped);
    expect(mapped.every(({ path }) => path.endsWith('lock.mdb'))).toBe(true);
    const count = rounds(60, 1000);
    for (const names of ['journal', 'loose'] as const)
      expect(await faults(recording, count, names)).toEqual([]);
    process.stdout.write(`  ${recording.records.length} calls, ${2 * count} outages\n`);
  });

  it('is seen to open half written with overlapping syncs, which is why they are plain', async () => {
    const data = beforeFirstFlush();
    const opener = new Judge(judge);
    const image = new Map([
      ['environment', undefined],
      ['environment/data.mdb', data],
    ]);
    expect(await opener.ask(image)).not.toMatch(/^\d+$/);
    await opener.end();
  });

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
