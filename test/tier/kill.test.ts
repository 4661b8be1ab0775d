/**
 * A process that is killed at each labelled step of persisting, demoting, loading and rebuilding: what it acknowledged is there for the next one, and what
 * was durable is there after a power loss; nothing deleted comes back.
 */

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openPool } from '../../src/pool/open.ts';
import { expectAllowed } from './support/allowed.ts';
import { runToEnd } from '../support/children.ts';
import { losePower } from '../support/lose-power.ts';

const worker = fileURLToPath(new URL('fixtures/worker.mjs', import.meta.url));
const keys = ['k0', 'k1', 'k2', 'k3', 'k4'];

interface Run {
  readonly lines: readonly string[];
  readonly wasKilled: boolean;
}

function run(path: string, label: string, passes: number, rounds = 40): Run {
  const args = [worker, path, label, String(passes), String(rounds)];
  const { stdout, stderr, signal, status } = runToEnd(process.execPath, args);
  if (signal !== 'SIGKILL' && status !== 0) throw new Error(stderr);
  return {
    lines: stdout.split('\n').filter((line) => line !== ''),
    wasKilled: signal === 'SIGKILL',
  };
}

/** Expects of the pool in a folder what a process may have left. */
async function expectLeft(path: string, lines: readonly string[], durable: boolean): Promise<void> {
  const of = await openPool({ path, tiers: { disk: { reserveBytes: 0 } } });
  try {
    await expectAllowed(of, ['k'], [{ lines }], durable);
  } finally {
    await of.close();
  }
}

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-tier-kill-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const workLabels = [
  'persist:begin',
  'persist:stowed',
  'persist:durable',
  'disk:transaction',
  'disk:written',
  'disk:committed',
  'load:begin',
  'load:read',
  'load:promoted',
  'demote:chosen',
  'demote:written',
] as const;

describe('a process that is killed', () => {
  it.each(workLabels)('at %s has lost nothing that it acknowledged', async (label) => {
    for (const passes of [0, 3, 8]) {
      const path = join(freshFolder(), 'pool');
      const { lines, wasKilled } = run(path, label, passes);
      expect(wasKilled || passes > 0, `${label} was never passed`).toBe(true);
      const copy = `${path}-copy`;
      cpSync(path, copy, { recursive: true });
      await expectLeft(path, lines, false);
      losePower(copy);
      await expectLeft(copy, lines, true);
    }
  });

  it.each(['rebuild:begin', 'rebuild:wiped', 'rebuild:part', 'load:read', 'disk:committed'])(
    'at %s while it makes a pool anew is followed by another that does',
    async (label) => {
      const path = join(freshFolder(), 'pool');
      const { lines } = run(path, 'none', 0);
      expect(lines.at(-1)).toBe('closed');
      losePower(path);
      for (const passes of [0, 1]) {
        const copy = `${path}-${passes}`;
        cpSync(path, copy, { recursive: true });
        const { wasKilled } = run(copy, label, passes, 0);
        expect(wasKilled || passes > 0).toBe(true);
        await expectLeft(copy, lines, true);
      }
    },
  );

  it('between chunks and their record leaves no chunks behind', async () => {
    const path = join(freshFolder(), 'pool');
    // The first large part is the third that is written.
    const { wasKilled } = run(path, 'persist:stowed', 2);
    expect(wasKilled).toBe(true);
    const of = await openPool({ path, tiers: { disk: { reserveBytes: 0 } } });
    const usedBytes = of.stats().disk?.usedBytes ?? 0;
    for (const key of keys) of.delete(key);
    await of.persist('k0');
    expect([usedBytes < 1_000_000, of.stats().disk?.usedBytes]).toEqual([true, 0]);
    await of.close();
  });
});
