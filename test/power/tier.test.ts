/**
 * A pool with a disk tier on a disk that loses its power. LMDB's calls and those of the tier's own files are recorded; of the memory's files each page
 * has what it had at any moment. Whatever is left, the pool opens, everything that was persisted is there, and nothing is mixed.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { rounds, seed } from '../support/seed.ts';
import type { Image, Names } from './support/disk.ts';
import { faultsAfter, Judge } from './support/judge.ts';
import {
  type Outage,
  outages,
  recordProgram,
  type Recording,
  needsCompiler,
} from './support/recorded.ts';

const writer = new URL('clients/tier-writer.mjs', import.meta.url);
const judge = new URL('clients/tier-judge.mjs', import.meta.url);
const pageBytes = 4096;

interface Answer {
  readonly states?: Record<string, string>;
  readonly errors?: readonly string[];
  readonly code?: string;
  readonly message?: string;
}

/** Files of the pool's memory, by moment. */
function momentsOf(scratch: string): Map<string, Buffer>[] {
  const moments: Map<string, Buffer>[] = [];
  for (let n = 0; existsSync(join(scratch, `moment-${n}`)); n++) {
    const folder = join(scratch, `moment-${n}`);
    moments.push(
      new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))])),
    );
  }
  return moments;
}

/**
 * What is left of the memory after `known` moments: of one moment, a mixture of several, cut short, or nothing. What was synced as a whole, when the
 * pool was closed, is as it was then, or as it is in the end.
 */
function addMemory(
  { image, synced }: Outage,
  moments: readonly Map<string, Buffer>[],
  known: number,
  random: Random,
): void {
  const last = Math.min(known, moments.length - 1);
  const how = random.below(5);
  for (const [name, newest] of known === 0 ? [] : (moments[last] as Map<string, Buffer>)) {
    const path = `pool/${name}`;
    const whole = synced.has(path) ? image.get(path) : undefined;
    const bytes = Buffer.from(newest);
    for (let at = 0; how > 1 && at < bytes.length; at += pageBytes) {
      const older = whole ?? moments[random.below(last + 1)]?.get(name);
      if (older === undefined) bytes.fill(0, at, at + pageBytes);
      else if (whole === undefined || random.below(2) === 0)
        older.copy(bytes, at, at, at + pageBytes);
    }
    image.delete(path);
    // The first one is synced when it is made, so that its size is certain.
    const isFirst = name === 'segment-0000';
    const isLost = how === 0 || (how === 2 && !isFirst && random.below(2) === 0);
    if (isLost && whole === undefined) continue;
    const isCut = how === 3 && !isFirst && whole === undefined && random.below(2) === 0;
    image.set(path, isCut ? bytes.subarray(0, pageBytes * random.below(30)) : bytes);
  }
}

/** What each part may be: the last state that was promised, or one that was begun since; any that was begun when none was. */
function allowed(said: readonly string[]): Map<string, Set<string>> {
  const states = new Map<string, Set<string>>();
  /** States begun since the promise, and the place in the log of each. */
  for (const text of said) {
    const [verb = '', part = '', state = ''] = text.split(' ');
    if (verb === 'moment') continue;
    const known = states.get(part) ?? new Set(['-']);
    if (verb === 'begin') {
      known.delete(state);
      known.add(state);
    } else {
      // In the order in which they were begun: those before the promised one are over.
      for (const older of known) {
        if (older === state) break;
        known.delete(older);
      }
    }
    states.set(part, known);
  }
  return states;
}

function faultOf(
  { states, errors, code, message }: Answer,
  may: Map<string, Set<string>>,
): string | undefined {
  if (states === undefined) return `${code}: ${message}`;
  for (const [part, state] of Object.entries(states)) {
    const known = may.get(part) ?? new Set(['-']);
    if (!known.has(state)) return `${part} is ${state}, and may be ${[...known].join(' or ')}`;
  }
  return errors?.[0];
}

async function faults(
  recording: Recording,
  count: number,
  names: Names,
  calls?: number,
): Promise<string[]> {
  const random = new Random(seed());
  const moments = momentsOf(recording.scratch);
  const left = outages(recording, count, seed(), names, calls);
  return faultsAfter(judge, left, async (outage, opener) => {
    const { image, acknowledged } = outage;
    image.delete('pool/disk/lock.mdb');
    const known = acknowledged.filter((text) => text.startsWith('moment')).length;
    addMemory(outage, moments, known, random);
    const text = await opener.ask(image);
    const answer = text.startsWith('{') ? (JSON.parse(text) as Answer) : { message: text };
    return faultOf(answer, allowed(acknowledged));
  });
}

describe('a pool with a disk tier, on a disk that loses its power', () => {
  needsCompiler();

  it.each(['journal', 'loose'] as const)(
    'opens, with all that was persisted and nothing mixed: %s names',
    async (names) => {
      const recording = recordProgram(writer, ['60', String(seed())], true);
      const count = rounds(15, 150);
      const found = await faults(recording, count, names);
      // The memory has grown since it was made: only the first segment was ever synced.
      expect(momentsOf(recording.scratch).at(-1)?.size).toBeGreaterThan(1);
      process.stdout.write(`  ${recording.records.length} calls, ${count} outages\n`);
      expect(found).toEqual([]);
    },
  );

  it('trusts memory that was closed in order only when all of it had reached its files', async () => {
    const recording = recordProgram(writer, ['10', String(seed())], true);
    const found = await faults(recording, rounds(15, 100), 'loose', 30);
    expect(found).toEqual([]);
  });

  it('says so where LMDB would die of what is left', async () => {
    const opener = new Judge(judge);
    for (const bytes of [0, 100, 4096, 8192, 100_000]) {
      const image: Image = new Map([['pool/disk/data.mdb', Buffer.alloc(bytes)]]);
      expect(JSON.parse(await opener.ask(image))).toMatchObject({ code: 'pool_corrupt' });
    }
    await opener.end();
  });
});
