/** Threads and processes that use, grow and shrink a region all at once, some of which are ended at it: nobody works in a segment that is not theirs. */

import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { regionLockWord, segmentLockWord } from '../../src/memory/layout.ts';
import { lock, lockTokenOf, lockWaitOf, unlock } from '../../src/memory/lock.ts';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import type { Region } from '../../src/memory/region.ts';
import { createSharedRegion } from '../../src/memory/shared.ts';
import { watchWorker } from '../../src/memory/worker-exit.ts';
import { rounds, seed } from '../support/seed.ts';
import { identity, mib, segmentOf, temporaryFolder } from './support/regions.ts';

const options = {
  capacityBytes: 12 * mib,
  maxCapacityBytes: 16 * mib,
  segmentBytes: 4 * mib,
  ownersMax: 6,
  ...identity,
};
const stopWord = 30_000;
const usersCount = 3;

interface User {
  readonly events: Worker | ChildProcess;
  /** Ends it at whatever it is doing. */
  readonly kill: () => Promise<unknown>;
  readonly slot: number;
}

const script = new URL('./fixtures/user.mjs', import.meta.url);

type Start = (region: Region, userSeed: number) => Promise<User>;

/** Starts a user in a thread; resolves when it has joined. */
async function startThread(region: Region, userSeed: number): Promise<User> {
  const workerData = { handle: region.handle, seed: userSeed, stopWord };
  const worker = new Worker(script, { workerData });
  onTestFinished(async () => void (await worker.terminate()));
  watchWorker(worker, region, () => {});
  const [slot] = (await once(worker, 'message')) as [number];
  return { events: worker, kill: () => worker.terminate(), slot };
}

/** Starts a user in a process. */
async function startProcess(region: Region, userSeed: number): Promise<User> {
  const data = { handle: region.handle, seed: userSeed, stopWord };
  const child = fork(fileURLToPath(script), [JSON.stringify(data)], { execArgv: [] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const gone = once(child, 'exit');
  const [slot] = (await once(child, 'message')) as [number];
  const kill = (): Promise<unknown> => {
    child.kill('SIGKILL');
    return gone;
  };
  return { events: child, kill, slot };
}

/** The slot of a dead owner becomes free. Its lock goes with the thread, which may take the kernel a moment. */
async function reclaim(region: Region, slot: number): Promise<void> {
  while (region.ownerLives(slot)) await turn();
  expect(region.reclaim?.(slot, () => {})).toBe(true);
}

function createMapped(): Region {
  return openMappedRegion(join(temporaryFolder(), 'pool'), 'own', options);
}

interface Subject {
  readonly name: string;
  readonly create: () => Region;
  readonly start: Start;
  readonly killings: number;
}

const subjects: Subject[] = [
  {
    name: 'threads with a shared region',
    create: () => createSharedRegion(options),
    start: startThread,
    killings: rounds(12, 25),
  },
  {
    name: 'threads with a mapped region',
    create: createMapped,
    start: startThread,
    killings: rounds(12, 25),
  },
  {
    name: 'processes with a mapped region',
    create: createMapped,
    start: startProcess,
    killings: rounds(8, 25),
  },
];

describe.each(subjects)('$name', ({ create, start, killings }) => {
  it('keep out of each other’s way, whoever is killed where', async () => {
    const region = create();
    const random = new Random(seed());
    const { words } = segmentOf(region, 0);
    const users: User[] = [];
    for (let i = 0; i < usersCount; i += 1) users.push(await start(region, seed() + i));
    for (let round = 0; round < killings; round += 1) {
      // As far as the others come meanwhile: no time is measured.
      const until = region.superblock.sequence + 20 + random.below(100);
      while (region.superblock.sequence < until) {
        region.refresh();
        await turn();
      }
      const at = random.below(users.length);
      const [victim] = users.splice(at, 1) as [User];
      await victim.kill();
      await reclaim(region, victim.slot);
      users.push(await start(region, seed() + 100 + round));
    }
    const done = users.map(({ events }) => once(events, 'message'));
    Atomics.store(words, stopWord, 1);
    let used = 0;
    for (const answer of await Promise.all(done)) {
      const [seen] = answer as [Record<string, number>];
      used += seen['used'] ?? 0;
    }
    expect(used).toBeGreaterThan(0);
    region.commit({ capacityBytes: 16 * mib });
    expect(words[regionLockWord]).toBe(0);
    for (const segment of region.segments) {
      const wait = lockWaitOf(region, 0);
      const outcome = lock(segment.words, segmentLockWord, lockTokenOf(region), wait);
      expect(outcome).toBeOneOf(['taken', 'inherited']);
      unlock(segment.words, segmentLockWord);
    }
    for (let slot = 1; slot < options.ownersMax; slot += 1)
      expect(region.ownerLives(slot)).toBe(false);
    region.close();
  });
});
