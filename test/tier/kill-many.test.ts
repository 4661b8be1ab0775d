/**
 * Several processes on one pool with a disk tier, one of which is killed at a labelled step: what it had acknowledged is there, what the others
 * did is untouched, and after a power loss everything that was durable is there, and nothing that was deleted.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { openPool } from '../../src/pool/open.ts';
import { rounds, seed } from '../support/seed.ts';
import { allowed, expectAllowed } from './support/allowed.ts';

const worker = fileURLToPath(new URL('fixtures/worker.mjs', import.meta.url));
const labels = [
  'persist:begin',
  'persist:stowed',
  'persist:durable',
  'disk:written',
  'disk:committed',
  'load:read',
  'load:promoted',
  'demote:chosen',
  'demote:written',
] as const;

interface Run {
  readonly lines: readonly string[];
  readonly signal: NodeJS.Signals | null;
}

async function run(path: string, prefix: string, label: string, passes: number): Promise<Run> {
  // Room for all that both write, so that nothing is evicted before it is on the disk; a reserve so large that much is demoted.
  const args = [worker, path, label, String(passes), '24', prefix, '64', '40'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { lines: text.split('\n').filter((line) => line !== ''), signal };
}

it('an owner that is killed beside others has lost nothing, nor have they', async () => {
  const random = new Random(seed());
  for (let round = 0; round < rounds(2, 20); round++) {
    const folder = mkdtempSync(join(tmpdir(), 'cenote-tier-many-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'pool');
    const label = labels[random.below(labels.length)] as string;
    // Somebody has it all the while: who is killed is recovered by the others.
    const staying = await openPool({
      path,
      capacityBytes: 64 * 2 ** 20,
      tiers: { disk: { reserveBytes: 0 } },
    });
    const prefixes = ['a', 'b'];
    const runs = await Promise.all([
      run(path, 'a', label, random.below(12)),
      run(path, 'b', 'none', 0),
    ]);
    expect(runs[1]?.signal).toBeNull();
    await expectAllowed(staying, prefixes, runs, false);
    const copy = join(folder, 'copy');
    cpSync(path, copy, { recursive: true });
    await staying.close();
    for (const segment of ['segment-0000', 'segment-0001'])
      rmSync(join(copy, segment), { force: true });
    const again = await openPool({ path: copy, tiers: { disk: { reserveBytes: 0 } } });
    await expectAllowed(again, prefixes, runs, true);
    await again.close();
  }
  expect(allowed([], 'a', true).size).toBe(5);
});
