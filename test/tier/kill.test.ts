/**
 * A process that is killed at each labelled step of persisting, demoting, loading and rebuilding: what it acknowledged is there for the next one, and what
 * was durable is there after a power loss; nothing deleted comes back.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openPool } from '../../src/pool/open.ts';
import type { Pool } from '../../src/pool/api.ts';
import { expectSound } from '../pool/support/pools.ts';
import { loaded, losePower } from './support/pools.ts';

const worker = fileURLToPath(new URL('fixtures/worker.mjs', import.meta.url));
const keys = ['k0', 'k1', 'k2', 'k3', 'k4'];

/** What the key may hold: numbers of puts, 0 for nothing. */
type Allowed = Map<string, Set<number>>;

interface Run {
  readonly lines: readonly string[];
  readonly wasKilled: boolean;
}

function run(path: string, label: string, passes: number, rounds = 40): Run {
  const args = [worker, path, label, String(passes), String(rounds)];
  const { stdout, stderr, signal, status } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
  });
  if (signal !== 'SIGKILL' && status !== 0) throw new Error(stderr);
  return {
    lines: stdout.split('\n').filter((line) => line !== ''),
    wasKilled: signal === 'SIGKILL',
  };
}

/** What may be there when all that was acknowledged (`durable`: acknowledged as durable) is. */
function allowed(lines: readonly string[], durable: boolean): Allowed {
  const states: Allowed = new Map(keys.map((key) => [key, new Set([0])]));
  const since = new Map<string, number[]>(keys.map((key) => [key, []]));
  for (const line of lines) {
    const [verb = '', ...rest] = line.split(' ');
    if (verb === 'begin') since.get(rest[1] as string)?.push(Number(rest[2]));
    const settles = durable ? verb === 'D' : verb === 'W' || verb === 'X';
    if (!settles) continue;
    for (const key of durable ? keys : [rest[0] as string]) {
      const begun = since.get(key) as number[];
      if (begun.length > 0) states.set(key, new Set([begun.at(-1) as number]));
      begun.length = 0;
    }
  }
  for (const key of keys) for (const each of since.get(key) as number[]) states.get(key)?.add(each);
  return states;
}

async function expectAllowed(path: string, states: Allowed): Promise<void> {
  const of = await openPool({ path, tiers: { disk: { reserveBytes: 0 } } });
  try {
    for (const key of keys) {
      const found = await numberOf(of, key);
      expect([...(states.get(key) as Set<number>)], `${key} holds ${found}`).toContain(found);
    }
    expectSound(of);
    expect(of.stats().disk?.corrupt).toBe(0);
  } finally {
    await of.close();
  }
}

/** @returns the number of the put that wrote the part, -1 when it is of several, 0 when there is none */
async function numberOf(of: Pool, key: string): Promise<number> {
  const bytes = await loaded(of, key, 'p');
  if (bytes === undefined) return 0;
  const number = bytes[0] as number;
  const sizeBytes = number % 3 === 0 ? 1_500_000 : 100 + number;
  return bytes.length === sizeBytes && bytes.every((byte) => byte === number) ? number : -1;
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
      await expectAllowed(path, allowed(lines, false));
      losePower(copy);
      await expectAllowed(copy, allowed(lines, true));
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
        await expectAllowed(copy, allowed(lines, true));
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
