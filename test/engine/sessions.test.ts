/**
 * Sessions that come, take turns and go, a few of them, or for an hour with `npm run soak` (`npm run soak -- --minutes N`): what their process holds
 * stays as it is, though it is asked for more than its pool has room for, answers are left, and instances and other processes are killed.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { freshPath, mib } from '../pool/support/pools.ts';
import { seed } from '../support/seed.ts';
import { growthOf } from './support/flat.ts';
import { missingEngine } from './support/models.ts';

const isSoak = process.env['CENOTE_SOAK'] === '1';
const minutes = Number(process.env['CENOTE_MINUTES'] ?? 60);
const seconds = isSoak ? minutes * 60 : 300;
/** Ends it sooner. */
const kills = isSoak ? undefined : 1;
const reportSeconds = isSoak ? Math.min(60, seconds / 15) : 1;
/** Fewer looks say nothing of what grows. */
const looksMin = 10;
/** What the memory of the process may grow by in the last half: it goes up and down by half of it. */
const growthMaxBytes = 16 * mib;
/** Pipes to a process that is about to be killed, and what a thread opens as it starts. */
const comeAndGo = 4;

const capacityBytes = 8 * mib;
const script = fileURLToPath(new URL('fixtures/sessions.mjs', import.meta.url));
const modelPath = fileURLToPath(new URL('../../models/cenote-moby.gguf', import.meta.url));

interface Look {
  readonly seconds: number;
  readonly proportionalBytes: number;
  readonly residentBytes: number;
  readonly descriptors: number;
  readonly threads: number;
  readonly poolBytes: number;
  readonly evictions: number;
  readonly sessions: number;
  readonly left: number;
  readonly threadsKilled: number;
  readonly processesKilled: number;
  readonly cachedTokens: number;
}

interface End {
  readonly errors: readonly string[];
  readonly retiredParts: number;
  readonly owners: number;
}

function begin(folder: string): ChildProcess {
  const task = { folder, modelPath, seconds, reportSeconds, seed: seed(), kills };
  const child = spawn(process.execPath, ['--expose-gc', script, JSON.stringify(task)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

function shown({ proportionalBytes, residentBytes, poolBytes, ...counts }: Look): string {
  const inMib = [proportionalBytes, residentBytes, poolBytes].map((bytes) => bytes / mib);
  const [pss, rss, pool] = inMib.map((value) => value.toFixed(1));
  const rest = Object.entries(counts).map(([name, value]) => `${name} ${value}`);
  return `PSS ${pss} MiB · RSS ${rss} · pool ${pool} · ${rest.join(' · ')}\n`;
}

const most = (looks: readonly Look[], of: 'descriptors' | 'threads'): number =>
  Math.max(...looks.map((look) => look[of]));

it.skipIf(missingEngine() !== undefined)(
  'what sessions take of memory, descriptors and threads is given back',
  async () => {
    const child = begin(freshPath());
    const exited = once(child, 'exit');
    const looks: Look[] = [];
    let end: End | undefined;
    for await (const line of createInterface(child.stdout as NodeJS.ReadableStream)) {
      const told = JSON.parse(line) as Look | End;
      if ('errors' in told) end = told;
      else {
        looks.push(told);
        process.stdout.write(shown(told));
      }
    }
    expect(await exited).toEqual([0, null]);
    expect(end).toEqual({ errors: [], retiredParts: 0, owners: 1 });
    const last = looks.at(-1) as Look;
    const { sessions, left, evictions, threadsKilled, processesKilled, cachedTokens } = last;
    expect(Math.min(sessions, left, threadsKilled, processesKilled, cachedTokens)).toBeGreaterThan(
      0,
    );
    for (const { poolBytes } of looks) expect(poolBytes).toBeLessThanOrEqual(capacityBytes);
    if (!isSoak || looks.length < looksMin) return;
    expect(evictions).toBeGreaterThan(0);
    expect(growthOf(looks.map((look) => look.proportionalBytes))).toBeLessThan(growthMaxBytes);
    const half = looks.length >> 1;
    for (const of of ['descriptors', 'threads'] as const) {
      const before = most(looks.slice(0, half), of);
      expect(most(looks.slice(half), of)).toBeLessThanOrEqual(before + comeAndGo);
    }
  },
  (seconds + 300) * 1000,
);

it('growth is seen in looks that go up and down, and not where there is none', () => {
  const noise = [0, 7, -5, 3, -8, 6, -2, 8, -6, 1, 4, -7];
  const flat = [...noise, ...noise].map((each) => 100 + each);
  expect(Math.abs(growthOf(flat))).toBeLessThan(4);
  expect(growthOf(flat.map((each, at) => each + at))).toBeGreaterThan(8);
  // What is taken once, in the first half, is no growth.
  expect(Math.abs(growthOf(flat.map((each, at) => each + Math.min(50, 10 * at))))).toBeLessThan(4);
});
