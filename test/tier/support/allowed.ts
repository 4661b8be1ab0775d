/** What a process that works on a pool may leave, by what it has said. See fixtures/worker.mjs. */

import { expect } from 'vitest';
import type { Pool } from '../../../src/pool/api.ts';
import { expectSound } from '../../pool/support/pools.ts';
import { loaded } from './pools.ts';

/** Numbers of the puts that a context may be of; 0 for none. */
export type Allowed = Map<string, Set<number>>;

/** What may be there when all that was acknowledged (`durable`: acknowledged as durable) is. */
export function allowed(lines: readonly string[], prefix: string, durable: boolean): Allowed {
  const keys = [0, 1, 2, 3, 4].map((i) => `${prefix}${i}`);
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

/** Expects of each context what its process may have left. */
export async function expectAllowed(
  of: Pool,
  prefixes: readonly string[],
  runs: readonly { readonly lines: readonly string[] }[],
  durable: boolean,
): Promise<void> {
  for (const [i, prefix] of prefixes.entries()) {
    const states = allowed(runs[i]?.lines ?? [], prefix, durable);
    for (const [key, numbers] of states) {
      const found = await numberOf(of, key);
      expect([...numbers], `${key} holds ${found}, durable: ${durable}`).toContain(found);
    }
  }
  expectSound(of);
  expect(of.stats().disk?.corrupt).toBe(0);
}

/** @returns the number of the put that wrote the part, -1 when it is of several, 0 when there is none */
async function numberOf(of: Pool, key: string): Promise<number> {
  const bytes = await loaded(of, key, 'p');
  if (bytes === undefined) return 0;
  const number = bytes[0] as number;
  const sizeBytes = number % 3 === 0 ? 1_500_000 : 100 + number;
  return Buffer.alloc(sizeBytes, number).equals(bytes) ? number : -1;
}
