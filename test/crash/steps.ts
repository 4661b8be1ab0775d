/** What the operations that are killed have in common: pools to begin with, steps, and what must hold. */

import assert from 'node:assert/strict';
import type { Draft, PutOptions } from '../../src/pool/api.ts';
import type { OwnedPool } from '../support/owned-memory.ts';
import type { Expectation, Scenario, Seen } from './harness.ts';

/** Something done to a pool. */
export type Step = (owned: OwnedPool) => void;

export const mib: number = 2 ** 20;
export const kib = 1024;

/** Bytes that can be told from any others. */
export function pattern(name: string, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  // One call for all of it: trials make patterns by the million.
  Buffer.from(bytes.buffer).fill(`[${name}]`);
  return bytes;
}

/** Parts that no operation concerns: of several sizes, kinds and keys, some pinned, tagged or leased. */
export function bystanders({ pool }: OwnedPool): void {
  pool.put('by-1', 'tokens', Uint32Array.of(1, 2, 3), { tags: ['shared', 'other'] });
  pool.put('by-1', 'kv', pattern('kv', 10_000), { kind: 'attention', pinned: true });
  pool.put('by-2', 'text', 'a bystander', { dependsOn: ['by-1'] });
  pool.put('by-3'.padEnd(200, 'x'), 'long', pattern('long', 5000), { ttlMs: 100_000 });
  pool.put('by-4', 'empty', new Uint8Array(0));
  pool.put('by-5', 'large', pattern('large', 70_000));
  pool.append('by-2', 'log', pattern('log', 100));
  pool.append('by-2', 'log', pattern('more', 20));
}

/** All of these parts are in the same state, old or new. */
export function together(keys: readonly string[]): Expectation {
  return (seen, before, after) => {
    const allAre = (state: Seen): boolean =>
      keys.every((key) => seen.parts.has(key) === state.parts.has(key));
    assert(allAre(before) || allAre(after), `${keys.join(', ')} went in part`);
  };
}

/** What was done first is there when what was done later is. */
export function inOrder(keys: readonly string[]): Expectation {
  return (seen, _before, after) => {
    const done = keys.map((key) => seen.parts.has(key) === after.parts.has(key));
    assert(!done.includes(false) || done.lastIndexOf(true) < done.indexOf(false));
  };
}

export function put(
  id: string,
  part: string,
  name: string,
  sizeBytes: number,
  options: PutOptions = {},
): Step {
  return ({ pool }: OwnedPool): void => void pool.put(id, part, pattern(name, sizeBytes), options);
}

export function later(step: Step): Scenario['begin'] {
  return (owned) => () => step(owned);
}

export function both(...steps: Step[]): Step {
  return (owned: OwnedPool): void => steps.forEach((step) => step(owned));
}

export const tagged: PutOptions = { tags: ['shared', 'doc-7'], dependsOn: ['by-2'] };
export const longId: string = 'ä'.repeat(256);
export const secret = (name: string): Uint8Array => pattern(`secret ${name}`, 64);

export const severalParts: Step = both(
  bystanders,
  put('a', 'p', 'one', 100, tagged),
  put('a', 'q', 'two', 2000, { tags: ['doc-7'], sensitive: true }),
  put('a', 'r'.repeat(300), 'three', 50, tagged),
  put('a', 's', 'four', 0),
);
export const partsOfA: readonly string[] = ['a/p', 'a/q', `a/${'r'.repeat(300)}`, 'a/s'];

/** A sensitive draft under way. */
export function draft({ pool }: OwnedPool): Draft {
  const begun = pool.beginPut('a', 'p', 100, { sensitive: true });
  begun.write(pattern('secret new', 100));
  return begun;
}
