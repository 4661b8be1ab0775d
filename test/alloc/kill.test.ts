/**
 * kill -9 of a process that churns a mapped region: what it had acknowledged is there, what it had
 * not is free.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { openAllocator } from '../../src/alloc/allocator.ts';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import type { Segment } from '../../src/memory/region.ts';
import { rounds, seed } from '../support/seed.ts';
import { Random } from './support/random.ts';

const script = fileURLToPath(new URL('fixtures/churner.mjs', import.meta.url));

/** Kills it after it has told of its progress a number of times. */
async function churn(folder: string, log: string, random: Random): Promise<void> {
  const child = fork(script, [folder, log, String(random.below(2 ** 31))], { execArgv: [] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const gone = once(child, 'exit');
  let left = 1 + random.below(30);
  child.on('message', () => {
    if (--left === 0) child.kill('SIGKILL');
  });
  expect(await gone).toEqual([null, 'SIGKILL']);
}

interface Acknowledged {
  readonly kept: Map<number, string>;
  /** The reference it was about to free when it died, or 0. */
  readonly freeing: number;
}

function readLog(path: string): Acknowledged {
  const bytes = readFileSync(path);
  const records = new Int32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 12) * 3);
  const kept = new Map<number, string>();
  for (let at = 0; at < records.length; at += 3) {
    const ref = records[at] as number;
    if (ref > 0) kept.set(ref, `${records[at + 1]} ${records[at + 2]}`);
    else kept.delete(-ref);
  }
  return { kept, freeing: Math.max(0, -(records.at(-3) ?? 0)) };
}

test('after kill -9 the kept blocks are there and nothing else', async () => {
  const random = new Random(seed());
  const folder = mkdtempSync(join(tmpdir(), 'cenote-alloc-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const log = join(folder, 'acknowledged');
  writeFileSync(log, '');
  for (let round = 0; round < rounds(6, 50); round++) {
    await churn(join(folder, 'pool'), log, random);
    const region = openMappedRegion(join(folder, 'pool'), 'own');
    const allocator = openAllocator(region);
    allocator.recover();
    expect(allocator.check()).toEqual([]);
    const { kept, freeing } = readLog(log);
    const unacknowledged: number[] = [];
    allocator.walk((block) => {
      const { words } = region.segments[block.ref >> 16] as Segment;
      const first = (block.ref & 65_535) * 16;
      const content = words.subarray(first, first + block.sizeBytes / 4);
      expect(content.findIndex((word) => word !== block.ref)).toBe(-1);
      if (!kept.has(block.ref)) unacknowledged.push(block.ref);
      else expect(`${block.kind} ${block.sizeBytes}`).toBe(kept.get(block.ref));
      kept.delete(block.ref);
    });
    expect([...kept.keys()]).toEqual([]);
    // The one whose free was cut short, or the one that was kept and not yet written down.
    expect(unacknowledged.length).toBeLessThanOrEqual(1);
    for (const ref of unacknowledged) {
      if (ref !== freeing) allocator.free(ref, allocator.kindOf(ref));
    }
    // From here on the log speaks of what is there.
    const records: number[] = [];
    allocator.walk(({ ref, kind, sizeBytes }) => records.push(ref, kind, sizeBytes));
    writeFileSync(log, new Uint8Array(Int32Array.from(records).buffer));
    allocator.leave();
    region.close();
  }
});
