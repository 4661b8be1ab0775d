/**
 * A thread that joined reads, and between any two of its memory accesses the writer does something as a whole: what is read is what was there
 * before, or what was there after, never anything else.
 */

import assert from 'node:assert/strict';
import { afterAll, describe, it, vi } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { accessCount, disarm, interrupt } from '../support/instrumented-words.ts';
import {
  again,
  once,
  points,
  Stage,
  unlessBusy,
  type Way,
  writes,
} from './support/interleaving.ts';
import { contents } from './support/pools.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

/** What was seen, as text. */
type Look = (of: Pool) => string;

const reads: readonly [name: string, read: Look][] = [
  [
    'get',
    (of) => {
      const lease = of.get('a', 'p');
      if (lease === undefined) return 'nothing';
      const { buffer, byteOffset, byteLength } = lease.data;
      const bytes = Buffer.from(new Uint8Array(buffer, byteOffset, byteLength)).toString('hex');
      lease.release();
      return `${lease.version} ${lease.sizeBytes} ${bytes}`;
    },
  ],
  ['describe', (of) => JSON.stringify({ ...of.describe('a', 'p'), uses: 0 })],
  ['where', (of) => String(of.where('a', 'p'))],
  ['context', (of) => withoutUses(of.context('a'))],
  ['list', (of) => withoutUses(of.list({ limit: 10_000 }))],
];

function withoutUses(told: unknown): string {
  return JSON.stringify(told, (key, value: unknown) => (key === 'uses' ? 0 : value)) ?? 'nothing';
}

/** A list by id, each context as text, and whether it is in order. */
interface List {
  readonly byId: ReadonlyMap<string, string>;
  readonly isSorted: boolean;
}

/** Most lists are those before and after: none is taken apart again for each access. */
const lists = new Map<string, List>();
const listsMax = 8;

function listOf(text: string): List {
  const known = lists.get(text);
  if (known !== undefined) return known;
  const all = JSON.parse(text) as { readonly id: string }[];
  const isSorted = all.every(({ id }, i) => i === 0 || id > (all[i - 1]?.id ?? ''));
  const list = { byId: new Map(all.map((each) => [each.id, JSON.stringify(each)])), isSorted };
  if (lists.size >= listsMax) lists.clear();
  lists.set(text, list);
  return list;
}

/** The list is not that of one moment, but each context in it is; one that is there before and after is not missed. */
function isListOf(seen: string, before: string, after: string): boolean {
  const { byId: now, isSorted } = listOf(seen);
  const [{ byId: old }, { byId: next }] = [listOf(before), listOf(after)];
  const areTrue = [...now].every(([id, text]) => text === old.get(id) || text === next.get(id));
  return isSorted && areTrue && [...old.keys()].every((id) => now.has(id) || !next.has(id));
}

/** Interruptions per read with CI=true: most of them, but of a list, which does the same for each context. */
const pointsMax = 1000;
const listPointsMax = 300;

const covered: string[] = [];

afterAll(() => {
  process.stdout.write(`interrupted at accesses of\n${covered.join('\n')}\n`);
});

describe.each(writes)('while the writer %s', (name, write, crowd) => {
  const stage = new Stage(crowd);

  function expectBeforeOrAfter(reading: string, read: Look, way: Way): void {
    const { pool: first } = stage.writer();
    const before = read(stage.join());
    const reader = stage.join();
    way.begin(first, () => interrupt(Infinity, () => undefined));
    read(reader);
    const accesses = accessCount();
    disarm();
    write(stage.writer().pool);
    const after = read(stage.join());
    let count = 0;
    for (const k of points(accesses, reading === 'list' ? listPointsMax : pointsMax)) {
      if (k <= way.from) continue;
      const writer = stage.writer().pool;
      const joined = stage.join();
      way.begin(writer, () => interrupt(k, () => write(writer)));
      const seen = read(joined);
      disarm();
      const agrees =
        reading === 'list' ? isListOf(seen, before, after) : [before, after].includes(seen);
      assert(agrees, `access ${k} of ${accesses}: ${seen}`);
      assert.equal(read(joined), after);
      count++;
    }
    const which = way === again ? ', again' : '';
    covered.push(`  ${reading.padEnd(10)} ${name.padEnd(40)} ${count} of ${accesses}${which}`);
  }

  it.each(reads)('%s sees the state before or after', (reading, read) => {
    expectBeforeOrAfter(reading, read, once);
  });

  it.each(reads)('%s that must look again sees the state before or after', (reading, read) => {
    expectBeforeOrAfter(reading, read, again);
  });

  it('a thread that joins has the state after', () => {
    stage.writer();
    interrupt(Infinity, () => undefined);
    stage.join();
    const accesses = accessCount();
    disarm();
    write(stage.writer().pool);
    const after = contents(stage.join());
    let count = 0;
    for (const k of points(accesses, pointsMax)) {
      const writer = stage.writer().pool;
      let isDone = true;
      interrupt(k, () => (isDone = unlessBusy(() => write(writer))));
      const joined = stage.join();
      disarm();
      if (!isDone) write(writer);
      assert.deepEqual(contents(joined), after, `access ${k} of ${accesses}`);
      count++;
    }
    covered.push(`  ${'join'.padEnd(10)} ${name.padEnd(40)} ${count} of ${accesses}`);
  });
});
