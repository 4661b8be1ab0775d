/** Locks in pool memory between real processes and threads, some of which are killed or stopped. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { systemWaiter } from '../../src/base/clock.ts';
import { regionLockWord } from '../../src/memory/layout.ts';
import { lock, lockTokenOf, lockWaitOf, unlock } from '../../src/memory/lock.ts';
import type { LockOutcome } from '../../src/memory/lock.ts';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import type { Region } from '../../src/memory/region.ts';
import { rounds } from '../support/seed.ts';
import { openerProcess, openerThread } from './support/opener.ts';
import { codeOf, identity, mib, segmentOf, temporaryFolder } from './support/regions.ts';

const at = 100_000;
const options = { capacityBytes: 12 * mib, segmentBytes: 4 * mib, ...identity };

function newPool(): { readonly folder: string; readonly region: Region } {
  const folder = join(temporaryFolder(), 'pool');
  return { folder, region: openMappedRegion(folder, 'own', options) };
}

function lockHere(region: Region, waitMs?: number): LockOutcome {
  return lock(segmentOf(region, 0).words, at, lockTokenOf(region), lockWaitOf(region, waitMs));
}

/** Resolves when the kernel has stopped every thread of a process. */
async function stopped(pid: number): Promise<void> {
  while (!/^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))) await turn();
}

describe('a lock between processes', () => {
  it('is one lock', async () => {
    const { folder, region } = newPool();
    const other = openerProcess(folder, 'join');
    await other.ask('open');
    expect((await other.ask('lock', at, 0)).ok).toBe('taken');
    expect(lockHere(region, 0)).toBe('busy');
    await other.ask('unlock', at);
    expect(lockHere(region, 0)).toBe('taken');
    expect((await other.ask('lock', at, 1)).ok).toBe('busy');
    unlock(segmentOf(region, 0).words, at);
    region.close();
  });

  it('is inherited from a holder who was killed', async () => {
    const { folder, region } = newPool();
    const other = openerProcess(folder, 'join');
    await other.ask('open');
    expect((await other.ask('lock', at, 0)).ok).toBe('taken');
    expect(await other.kill()).toBe('SIGKILL');
    expect(lockHere(region)).toBe('inherited');
    expect(segmentOf(region, 0).words[at]).toBe(lockTokenOf(region));
    region.close();
  });

  it('is inherited from a holder whose slot was taken by another since', async () => {
    const { folder, region } = newPool();
    const [first, second] = [openerProcess(folder, 'join'), openerProcess(folder, 'join')];
    expect((await first.ask('open')).ok).toMatchObject({ slot: 1 });
    await first.ask('lock', at, 0);
    await first.ask('close');
    expect((await second.ask('open')).ok).toMatchObject({ slot: 1 });
    expect(lockHere(region)).toBe('inherited');
    region.close();
  });

  it('is not taken from a holder who is stopped', async () => {
    const { folder, region } = newPool();
    const other = openerProcess(folder, 'join');
    await other.ask('open');
    await other.ask('lock', at, 0);
    const { words } = segmentOf(region, 0);
    const token = words[at];
    process.kill(other.pid, 'SIGSTOP');
    await stopped(other.pid);
    expect(lockHere(region, 50)).toBe('busy');
    expect([words[at], region.ownerLives(1)]).toEqual([token, true]);
    process.kill(other.pid, 'SIGCONT');
    await other.ask('unlock', at);
    expect(lockHere(region, 0)).toBe('taken');
    region.close();
  });

  it('of the region keeps others from changing it while its holder is stopped, and no longer', async () => {
    const { folder, region } = newPool();
    const other = openerProcess(folder, 'join');
    await other.ask('open');
    await other.ask('lock', regionLockWord, 0);
    process.kill(other.pid, 'SIGSTOP');
    await stopped(other.pid);
    const patience = { waitMs: 30, waiter: systemWaiter };
    const third = openMappedRegion(folder, 'join', undefined, undefined, patience);
    expect(codeOf(() => third.commit({ epoch: 7 }))).toBe('pool_busy');
    expect(codeOf(() => third.addSegment(() => {}))).toBe('pool_busy');
    expect(third.reclaim?.(1, () => expect.unreachable())).toBe(false);
    expect([third.superblock.epoch, third.segments.length]).toEqual([0, 1]);
    // It dies as it is: stopped.
    await other.kill();
    third.commit({ epoch: 7 });
    region.refresh();
    expect(region.superblock.epoch).toBe(7);
    third.close();
    region.close();
  });

  it('keeps what it protects whole, although some are killed with it in hand', async () => {
    const { folder, region } = newPool();
    const victims = [openerProcess(folder, 'join'), openerProcess(folder, 'join')];
    const survivors = [openerProcess(folder, 'join'), openerThread(folder, 'join')];
    const everyone = [...victims, ...survivors];
    await Promise.all(everyone.map((each) => each.ask('open')));
    const { words } = segmentOf(region, 0);
    const times = rounds(30_000, 300_000);
    const lost = victims.map((each) =>
      each.ask('addPairs', at, Number.MAX_SAFE_INTEGER).catch(() => 'killed'),
    );
    const done = survivors.map((each) => each.ask('addPairs', at, times));
    // Each victim dies at work, most likely waiting for the lock or holding it.
    for (const victim of victims) {
      const before = Atomics.load(words, at + 1);
      while (Atomics.load(words, at + 1) < before + times / 10) await turn();
      await victim.kill();
    }
    const answers = (await Promise.all(done)) as { readonly ok: Record<string, number> }[];
    await Promise.all(lost);
    let sure = 0;
    for (const { ok } of answers) {
      expect(ok).toMatchObject({ busy: 0, unequal: 0 });
      sure += (ok['taken'] ?? 0) + (ok['inherited'] ?? 0);
    }
    expect(sure).toBe(2 * times);
    expect(words[at + 1]).toBe(words[at + 2]);
    expect(words[at + 1]).toBeGreaterThan(sure);
    region.close();
  });
});

describe('a lock between threads', () => {
  it('keeps what it protects whole', async () => {
    const { folder, region } = newPool();
    const threads = Array.from({ length: 3 }, () => openerThread(folder, 'join'));
    await Promise.all(threads.map((each) => each.ask('open')));
    const times = rounds(20_000, 200_000);
    const answers = await Promise.all(threads.map((each) => each.ask('addPairs', at, times)));
    for (const { ok } of answers)
      expect(ok).toEqual({ taken: times, inherited: 0, busy: 0, unequal: 0 });
    const { words } = segmentOf(region, 0);
    expect([words[at], words[at + 1], words[at + 2]]).toEqual([0, 3 * times, 3 * times]);
    region.close();
  });

  it('is inherited from a thread that was ended', async () => {
    const { folder, region } = newPool();
    const thread = openerThread(folder, 'join');
    await thread.ask('open');
    expect((await thread.ask('lock', at, 0)).ok).toBe('taken');
    await thread.kill();
    expect(lockHere(region)).toBe('inherited');
    region.close();
  });
});
