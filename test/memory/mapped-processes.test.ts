/** Mapped regions between real processes and threads: sharing, locks, and owners that die. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import { rounds } from '../support/seed.ts';
import { codeOf, identity, mib, segmentOf, temporaryFolder } from './support/regions.ts';
import { mayUnshare, openerInNamespace, openerProcess, openerThread } from './support/opener.ts';

const spot = 100_000;
const options = { capacityBytes: 12 * mib, segmentBytes: 4 * mib, ...identity };

describe('processes', () => {
  it('share memory, and only one of them owns it', async () => {
    const folder = join(temporaryFolder(), 'pool');
    const region = openMappedRegion(folder, 'own', options);
    const other = openerProcess(folder, 'own');
    const reader = openerProcess(folder, 'join');
    const refused = await other.ask('open');
    expect(refused.code).toBe('pool_busy');
    expect(refused.message).toContain(`process ${process.pid}`);
    expect(refused.message).toContain(folder);

    expect((await reader.ask('open')).ok).toEqual({ slot: 1, abandoned: false, clean: true });
    segmentOf(region, 0).words[spot] = 17;
    expect((await reader.ask('add', spot, 3)).ok).toBe(17);
    expect(segmentOf(region, 0).words[spot]).toBe(20);
    expect((await reader.ask('commit', { epoch: 1 })).code).toBeUndefined();
    region.refresh();
    expect(region.superblock.epoch).toBe(1);

    region.close();
    expect((await other.ask('open')).ok).toEqual({ slot: 0, abandoned: false, clean: true });
    expect((await other.ask('read', spot)).ok).toBe(20);
    expect(codeOf(() => openMappedRegion(folder, 'own', options))).toBe('pool_busy');
    expect((await other.ask('close')).code).toBeUndefined();
  });

  it('are free of an owner that was killed, and keep what it wrote', async () => {
    const folder = join(temporaryFolder(), 'pool');
    const owner = openerProcess(folder, 'own');
    const reader = openerProcess(folder, 'join');
    await owner.ask('open');
    await owner.ask('commit', { clean: false, epoch: 1 });
    await owner.ask('grow');
    await owner.ask('write', spot, 99);
    await reader.ask('open');
    const looker = openMappedRegion(folder, 'join');
    expect([0, 1, 2, 3].map((slot) => looker.ownerLives(slot))).toEqual([true, true, true, false]);
    expect(await owner.kill()).toBe('SIGKILL');
    expect(await reader.kill()).toBe('SIGKILL');
    expect([0, 1, 2].map((slot) => looker.ownerLives(slot))).toEqual([false, false, true]);

    const region = openMappedRegion(folder, 'own');
    expect(region.slotAbandoned).toBe(true);
    expect(region.superblock).toMatchObject({ clean: false, epoch: 1, segmentCount: 2 });
    expect(region.segments.length).toBe(2);
    expect(segmentOf(region, 0).words[spot]).toBe(99);
    expect(segmentOf(looker, 0).words[spot]).toBe(99);
    region.close();
    // Nobody has cleared up after the dead one so far.
    const again = openMappedRegion(folder, 'own');
    expect(again.slotAbandoned).toBe(true);
    again.slotSettled = true;
    again.close();
    const last = openMappedRegion(folder, 'own');
    expect(last.slotAbandoned).toBe(false);
    last.close();
    looker.close();
  });

  it('take the slot of a dead reader when no other is left', async () => {
    const folder = join(temporaryFolder(), 'pool');
    const region = openMappedRegion(folder, 'own', { ...options, ownersMax: 3 });
    const reader = openerProcess(folder, 'join');
    expect((await reader.ask('open')).ok).toMatchObject({ slot: 1 });
    await reader.kill();
    const second = openMappedRegion(folder, 'join');
    const third = openMappedRegion(folder, 'join');
    expect([second.ownerSlot, second.slotAbandoned]).toEqual([2, false]);
    expect([third.ownerSlot, third.slotAbandoned]).toEqual([1, true]);
    expect(codeOf(() => openMappedRegion(folder, 'join'))).toBe('too_many_owners');
    for (const open of [second, third, region]) open.close();
  });

  it('read zeros through views that outlive the region, and never fault', async () => {
    const folder = join(temporaryFolder(), 'pool');
    const owner = openerProcess(folder, 'own');
    await owner.ask('open');
    await owner.ask('grow');
    await owner.ask('write', 4096 * 10, 7);
    expect((await owner.ask('touch')).ok).not.toBe(0);
    await owner.ask('close');
    expect((await owner.ask('touch')).ok).toBe(0);
    expect((await owner.ask('read', 5000)).ok).toBe(1);
    const region = openMappedRegion(folder, 'own');
    expect(segmentOf(region, 0).words[4096 * 10]).toBe(7);
    region.close();
    expect(await owner.kill()).toBe('SIGKILL');
  });

  it('follow and join while the writer grows and shrinks', async () => {
    const folder = join(temporaryFolder(), 'pool');
    const owner = openerProcess(folder, 'own');
    await owner.ask('open');
    const region = openMappedRegion(folder, 'join');
    let done = false;
    const churned = owner.ask('churn', rounds(150, 600)).then((answer) => {
      done = true;
      return answer;
    });
    const states = new Set<number>();
    while (!done) {
      for (let i = 0; i < 20; i += 1) {
        region.refresh();
        expect(region.segments.length).toBe(region.superblock.segmentCount);
        states.add(region.superblock.sequence);
      }
      openMappedRegion(folder, 'join').close();
      openMappedRegion(folder, 'inspect').close();
      await turn();
    }
    expect((await churned).code).toBeUndefined();
    expect(states.size).toBeGreaterThan(3);
    region.close();
  });

  it('grow and shrink it together, and are missed by nobody when they are killed', async () => {
    const folder = join(temporaryFolder(), 'pool');
    const region = openMappedRegion(folder, 'own', options);
    const victim = openerProcess(folder, 'join');
    const others = [openerProcess(folder, 'join'), openerProcess(folder, 'join')];
    await Promise.all([victim, ...others].map((each) => each.ask('open')));
    const forever = victim.ask('churn', Number.MAX_SAFE_INTEGER).catch(() => 'killed');
    const churned = others.map((each) => each.ask('churn', rounds(150, 600)));
    for (let state = 0; state < 500; state = region.superblock.sequence) {
      region.refresh();
      expect(region.segments.length).toBe(region.superblock.segmentCount);
      await turn();
    }
    await victim.kill();
    expect(await forever).toBe('killed');
    for (const answer of await Promise.all(churned)) expect(answer.code).toBeUndefined();
    region.commit({ epoch: 5, capacityBytes: 12 * mib });
    while (region.addSegment(({ words }) => expect(words.at(-1)).toBe(0)));
    for (const other of others) {
      expect((await other.ask('commit', { rootTags: 640 })).code).toBeUndefined();
      expect((await other.ask('write', spot, 7)).code).toBeUndefined();
    }
    region.refresh();
    expect(region.superblock).toMatchObject({ epoch: 5, rootTags: 640, segmentCount: 3 });
    region.close();
  });

  it('that start together make one pool', async () => {
    const folder = join(temporaryFolder(), 'pool');
    const rivals = Array.from({ length: 4 }, () => openerProcess(folder, 'own'));
    const answers = await Promise.all(rivals.map((rival) => rival.ask('open')));
    const winners = answers.filter((answer) => answer.code === undefined);
    expect(winners.length).toBe(1);
    expect(answers.filter((answer) => answer.code === 'pool_busy').length).toBe(3);
    await Promise.all(rivals.map((rival) => rival.kill()));
    const region = openMappedRegion(folder, 'own');
    expect(readdirSync(folder).toSorted()).toEqual(['owners.lock', 'segment-0000']);
    region.close();
  });
});

describe.skipIf(!mayUnshare())('processes in pid namespaces of their own (needs root)', () => {
  it('share a pool, and do not take each other for dead', async () => {
    const folder = join(temporaryFolder(), 'pool');
    const first = openerInNamespace(folder, 'own');
    const second = openerInNamespace(folder, 'join');
    expect((await first.ask('open')).ok).toMatchObject({ slot: 0 });
    expect((await second.ask('open')).ok).toMatchObject({ slot: 1 });
    // Each is process 1 of its own world, and no pid of the other means anything to it.
    expect([(await first.ask('pid')).ok, (await second.ask('pid')).ok]).toEqual([1, 1]);
    const outside = openMappedRegion(folder, 'join');
    expect([0, 1].map((slot) => outside.ownerLives(slot))).toEqual([true, true]);
    expect((await first.ask('lives', 1)).ok).toBe(true);
    expect((await second.ask('lives', 0)).ok).toBe(true);
    for (const [who, slot] of [
      [first, 1],
      [first, 2],
      [second, 0],
      [second, 2],
    ] as const)
      expect((await who.ask('reclaim', slot)).ok).toBe(false);
    expect([0, 1].map((slot) => outside.reclaim?.(slot, () => {}))).toEqual([false, false]);

    expect((await first.ask('lock', spot, 0)).ok).toBe('taken');
    expect((await second.ask('lock', spot, 30)).ok).toBe('busy');
    await first.ask('unlock', spot);
    const both = [first, second].map((each) => each.ask('addPairs', spot, 5000));
    for (const { ok } of await Promise.all(both))
      expect(ok).toEqual({ taken: 5000, inherited: 0, busy: 0, unequal: 0 });
    expect(segmentOf(outside, 0).words[spot + 1]).toBe(10_000);
    outside.close();
  });

  it('see each other die', async () => {
    const folder = join(temporaryFolder(), 'pool');
    const first = openerInNamespace(folder, 'own');
    const second = openerInNamespace(folder, 'join');
    await first.ask('open');
    await second.ask('open');
    expect((await second.ask('lock', spot, 0)).ok).toBe('taken');
    await second.kill();
    while ((await first.ask('lives', 1)).ok === true) await turn();
    expect((await first.ask('lock', spot, 1000)).ok).toBe('inherited');
    expect((await first.ask('reclaim', 1)).ok).toBe(true);
  });
});

describe('worker threads', () => {
  it('join by themselves, and their lock goes with them', async () => {
    const folder = join(temporaryFolder(), 'pool');
    const region = openMappedRegion(folder, 'own', options);
    const descriptors = readdirSync('/proc/self/fd').length;
    const first = openerThread(folder, 'join');
    const second = openerThread(folder, 'join');
    expect((await first.ask('open')).ok).toMatchObject({ slot: 1, abandoned: false });
    expect((await second.ask('open')).ok).toMatchObject({ slot: 2, abandoned: false });
    segmentOf(region, 0).words[spot] = 40;
    expect((await first.ask('add', spot, 2)).ok).toBe(40);
    expect((await second.ask('read', spot)).ok).toBe(42);
    expect([1, 2].map((slot) => region.ownerLives(slot))).toEqual([true, true]);
    await first.kill();
    expect([1, 2].map((slot) => region.ownerLives(slot))).toEqual([false, true]);
    await second.ask('close');
    expect(region.ownerLives(2)).toBe(false);
    await second.kill();
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(descriptors);
    region.close();
  });

  it('find the pool busy when another thread owns it', async () => {
    const folder = join(temporaryFolder(), 'pool');
    const owner = openerThread(folder, 'own');
    expect((await owner.ask('open')).ok).toMatchObject({ slot: 0 });
    expect(codeOf(() => openMappedRegion(folder, 'own', options))).toBe('pool_busy');
    await owner.kill();
    const region = openMappedRegion(folder, 'own', options);
    expect(region.slotAbandoned).toBe(true);
    region.close();
  });
});
