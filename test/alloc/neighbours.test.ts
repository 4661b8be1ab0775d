/** Real threads and real processes share a region: they allocate, hand over, free for each other, and some are killed. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { createAllocator, type PoolAllocator } from '../../src/alloc/allocator.ts';
import { freshIdentity } from '../../src/memory/identity.ts';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import type { Ref, Segment } from '../../src/memory/region.ts';
import { rounds, seed } from '../support/seed.ts';
import { Random } from './support/random.ts';
import { mib, sharedRegion } from './support/regions.ts';

const script = fileURLToPath(new URL('fixtures/neighbour.mjs', import.meta.url));
const boxes = 64;
const size = { capacityBytes: 24 * mib, segmentBytes: 8 * mib };

/** A mailbox in the pool: a word for each box. */
function newMailbox(allocator: PoolAllocator): Ref {
  const ref = allocator.allocate(0, boxes * 4);
  allocator.keep(ref);
  const { words } = allocator.region.segments[0] as Segment;
  words.fill(0, ref << 4, (ref << 4) + boxes);
  return ref;
}

/** Takes everything out of the mailbox. */
function mailIn(allocator: PoolAllocator, mailbox: Ref): Ref[] {
  const { words } = allocator.region.segments[0] as Segment;
  const first = mailbox << 4;
  return [...words.subarray(first, first + boxes)].filter((ref) => ref !== 0);
}

/** Frees what is left, and demands every page back. */
function expectEmpty(allocator: PoolAllocator, mailbox: Ref): void {
  for (const ref of mailIn(allocator, mailbox)) allocator.free(ref, allocator.kindOf(ref));
  allocator.free(mailbox, 0);
  allocator.flush();
  allocator.leave();
  allocator.flush();
  expect(allocator.check()).toEqual([]);
  const { liveBytes, allocations, frees } = allocator.stats();
  expect([liveBytes, allocations - frees, allocator.usedBytes]).toEqual([0, 0, 0]);
}

test('threads', async () => {
  for (let round = 0; round < rounds(2, 3); round++) {
    const region = sharedRegion(size);
    const allocator = createAllocator(region);
    const mailbox = newMailbox(allocator);
    const workerData = {
      handle: region.handle,
      mailbox,
      boxes,
      operations: rounds(20_000, 100_000),
    };
    const workers = [1, 2, 3].map(
      (number) => new Worker(script, { workerData: { ...workerData, seed: seed() + number } }),
    );
    await Promise.all(
      workers.map(async (worker) => {
        const [answer] = (await once(worker, 'message')) as [unknown];
        expect(answer).toBe('done');
      }),
    );
    expect(allocator.check()).toEqual([]);
    expectEmpty(allocator, mailbox);
  }
});

test('processes, some of them killed', async () => {
  const random = new Random(seed());
  const folder = mkdtempSync(join(tmpdir(), 'cenote-alloc-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'pool');
  const region = openMappedRegion(path, 'own', { ...size, ...freshIdentity() });
  onTestFinished(() => region.close());
  const allocator = createAllocator(region);
  const mailbox = newMailbox(allocator);
  const kills = rounds(12, 40);
  const begin = (): ChildProcess => {
    const task = { handle: region.handle, mailbox, boxes, seed: random.below(2 ** 30) };
    const child = fork(script, [JSON.stringify(task)], { execArgv: [] });
    onTestFinished(() => void child.kill('SIGKILL'));
    return child;
  };
  const children = [begin(), begin(), begin()];
  await Promise.all(children.map((child) => once(child, 'message')));
  for (let kill = 0; kill < kills; kill++) {
    const index = random.below(children.length);
    const victim = children[index] as ChildProcess;
    for (const child of children) child.send('hurry');
    for (let told = 1 + random.below(4); told > 0; told--) await once(victim, 'message');
    victim.kill('SIGKILL');
    expect(await once(victim, 'exit')).toEqual([null, 'SIGKILL']);
    let recovered = 0;
    for (let slot = 1; slot < 64; slot++) if (allocator.recoverOwner(slot)) recovered++;
    expect(recovered).toBe(1);
    const next = begin();
    children[index] = next;
    await once(next, 'message');
  }
  for (const child of children) {
    const gone = once(child, 'exit');
    child.send('end');
    expect(await gone).toEqual([0, null]);
  }
  expect(allocator.check()).toEqual([]);
  // Kept and not yet, or no longer, in the mailbox when it died.
  const known = new Set([mailbox, ...mailIn(allocator, mailbox)]);
  const lost: Ref[] = [];
  allocator.walk(({ ref }) => void (known.has(ref) || lost.push(ref)));
  expect(lost.length).toBeLessThanOrEqual(kills);
  for (const ref of lost) allocator.free(ref, allocator.kindOf(ref));
  expectEmpty(allocator, mailbox);
});
