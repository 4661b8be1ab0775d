/** The operations that are killed at each of their memory accesses, and the pools they meet. */

import assert from 'node:assert/strict';
import type { Draft } from '../../src/pool/api.ts';
import { closeStore } from '../../src/store/open.ts';
import type { OwnedPool } from '../support/owned-memory.ts';
import { type Expectation, nowMs, type Scenario, type Seen, setNow } from './harness.ts';

const mib = 2 ** 20;
const kib = 1024;

/** Bytes that can be told from any others. */
export function pattern(name: string, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  const mark = Buffer.from(`[${name}]`);
  for (let at = 0; at < sizeBytes; at += mark.length) {
    bytes.set(mark.subarray(0, Math.min(mark.length, sizeBytes - at)), at);
  }
  return bytes;
}

/** Parts that no operation concerns: of several sizes, kinds and keys, some pinned, tagged or leased. */
function bystanders({ pool }: OwnedPool): void {
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
function together(keys: readonly string[]): Expectation {
  return (seen, before, after) => {
    const allAre = (state: Seen): boolean =>
      keys.every((key) => seen.parts.has(key) === state.parts.has(key));
    assert(allAre(before) || allAre(after), `${keys.join(', ')} went in part`);
  };
}

/** What was done first is there when what was done later is. */
function inOrder(keys: readonly string[]): Expectation {
  return (seen, _before, after) => {
    const done = keys.map((key) => seen.parts.has(key) === after.parts.has(key));
    assert(!done.includes(false) || done.lastIndexOf(true) < done.indexOf(false));
  };
}

function put(id: string, part: string, name: string, sizeBytes: number, options = {}) {
  return ({ pool }: OwnedPool): void => void pool.put(id, part, pattern(name, sizeBytes), options);
}

function later(step: (owned: OwnedPool) => void): Scenario['begin'] {
  return (owned) => () => step(owned);
}

function both(...steps: ((owned: OwnedPool) => void)[]) {
  return (owned: OwnedPool): void => steps.forEach((step) => step(owned));
}

const tagged = { tags: ['shared', 'doc-7'], dependsOn: ['by-2'] };
const longId = 'ä'.repeat(256);
const secret = (name: string): Uint8Array => pattern(`secret ${name}`, 64);

const puts: Scenario[] = [
  { name: 'put, new', fill: bystanders, begin: later(put('a', 'p', 'new', 1000)) },
  { name: 'put, new and empty', fill: bystanders, begin: later(put('a', 'p', 'new', 0)) },
  {
    name: 'put, new part of a context',
    fill: bystanders,
    begin: later(put('by-2', 'p', 'new', 100)),
  },
  {
    name: 'put, replacing',
    fill: both(bystanders, put('a', 'p', 'old', 3000, { pinned: true })),
    begin: later(put('a', 'p', 'new', 1000, { ttlMs: 5000 })),
  },
  {
    name: 'put, replacing what is leased',
    fill: both(bystanders, put('a', 'p', 'old', 3000)),
    begin: (owned) => {
      owned.pool.get('a', 'p');
      return later(put('a', 'p', 'new', 3000))(owned);
    },
  },
  {
    name: 'put, replacing nothing by something',
    fill: both(bystanders, put('a', 'p', 'old', 0)),
    begin: later(put('a', 'p', 'new', 70_000)),
  },
  { name: 'put with tags', fill: bystanders, begin: later(put('a', 'p', 'new', 100, tagged)) },
  {
    name: 'put, replacing tags by others',
    fill: both(bystanders, put('a', 'p', 'old', 100, { tags: ['shared', 'gone'] })),
    begin: later(put('a', 'p', 'new', 100, tagged)),
  },
  {
    name: 'put with a long key',
    fill: bystanders,
    begin: later(put(longId, 'p', 'new', 100, tagged)),
  },
  {
    name: 'put, replacing with a long key',
    fill: both(bystanders, put(longId, 'p', 'old', 100, tagged)),
    begin: later(put(longId, 'p', 'new', 100)),
  },
  {
    name: 'put, replacing a secret by another',
    fill: both(bystanders, put('a', 'p', 'secret old', 500, { sensitive: true })),
    begin: later(put('a', 'p', 'secret new', 700, { sensitive: true })),
    secrets: [secret('old'), secret('new')],
  },
];

const appends: Scenario[] = [
  {
    name: 'append in place',
    fill: both(bystanders, put('a', 'p', 'old', 1000, tagged)),
    begin:
      ({ pool }) =>
      () =>
        void pool.append('a', 'p', pattern('more', 20)),
  },
  {
    name: 'append, three times in place',
    fill: both(bystanders, put('a', 'p', 'old', 1000)),
    begin:
      ({ pool }) =>
      () => {
        for (let i = 0; i < 3; i++) pool.append('a', String(i), pattern('more', 5));
      },
    expect: inOrder(['a/0', 'a/1', 'a/2']),
  },
  {
    name: 'append that grows the block',
    fill: both(bystanders, put('a', 'p', 'old', 1000, { ...tagged, ttlMs: 9000, pinned: true })),
    begin:
      ({ pool }) =>
      () =>
        void pool.append('a', 'p', pattern('more', 2000)),
  },
  {
    name: 'append that grows a secret',
    fill: both(bystanders, put('a', 'p', 'secret old', 1000, { sensitive: true })),
    begin:
      ({ pool }) =>
      () =>
        void pool.append('a', 'p', pattern('secret old', 2000)),
    secrets: [secret('old')],
  },
  {
    name: 'append that creates',
    fill: bystanders,
    begin:
      ({ pool }) =>
      () =>
        void pool.append('a', 'p', pattern('new', 200)),
  },
];

const severalParts = both(
  bystanders,
  put('a', 'p', 'one', 100, tagged),
  put('a', 'q', 'two', 2000, { tags: ['doc-7'], sensitive: true }),
  put('a', 'r'.repeat(300), 'three', 50, tagged),
  put('a', 's', 'four', 0),
);
const partsOfA = ['a/p', 'a/q', `a/${'r'.repeat(300)}`, 'a/s'];

const removals: Scenario[] = [
  {
    name: 'delete a part',
    fill: severalParts,
    begin:
      ({ pool }) =>
      () =>
        void pool.delete('a', 'p'),
  },
  {
    name: 'delete a secret part',
    fill: both(bystanders, put('a', 'p', 'secret old', 500, { sensitive: true })),
    begin:
      ({ pool }) =>
      () =>
        void pool.delete('a', 'p'),
    secrets: [secret('old')],
  },
  {
    name: 'delete a context',
    fill: severalParts,
    begin:
      ({ pool }) =>
      () =>
        void pool.delete('a'),
    expect: together(partsOfA),
  },
  {
    name: 'delete a context that is leased',
    fill: severalParts,
    begin: ({ pool }) => {
      pool.get('a', 'p');
      pool.get('a', 's');
      return () => pool.delete('a');
    },
    expect: together(partsOfA),
  },
  {
    name: 'delete a context with a long id',
    fill: both(bystanders, put(longId, 'p', 'one', 100), put(longId, 'q', 'two', 100)),
    begin:
      ({ pool }) =>
      () =>
        void pool.delete(longId),
    expect: together([`${longId}/p`, `${longId}/q`]),
  },
  {
    name: 'invalidate a tag',
    fill: severalParts,
    begin:
      ({ pool }) =>
      () =>
        assert.equal(pool.invalidate({ tag: 'doc-7' }), 3),
  },
  {
    name: 'release of the last lease on a deleted part',
    fill: both(severalParts, put('a', 'z', 'secret old', 500, { sensitive: true })),
    begin: ({ pool }) => {
      const lease = pool.get('a', 'z');
      pool.delete('a', 'z');
      return () => lease?.release();
    },
    secrets: [secret('old')],
  },
];

/** Parts of 40 KiB until eviction begins. */
function full({ pool }: OwnedPool): void {
  for (let i = 0; pool.stats().operations.evictions === 0; i++) {
    pool.put(`full-${i}`, 'p', pattern(`${i}`, 40 * kib), { tags: [`t${i % 3}`] });
  }
}

/** So many contexts that one more begins to move the index into a larger table. */
function crowd({ pool }: OwnedPool): void {
  for (let i = 0; i < 192; i++) pool.put(`crowd-${i}`, 'p', Uint8Array.of(i));
}

const newcomers = Array.from({ length: 10 }, (_, i) => `new-${i}`);

const growth: Scenario[] = [
  {
    name: 'put into a full pool',
    fill: full,
    begin: later(put('a', 'p', 'new', 30 * kib)),
  },
  {
    name: 'put that clears a window',
    fill: full,
    begin: later(put('a', 'p', 'new', 600 * kib)),
  },
  {
    name: 'put that adds entries',
    fill: ({ pool }) => {
      for (let i = 0; i < 21; i++) pool.put(`some-${i}`, 'p', pattern(`${i}`, 50));
    },
    begin: later(put('a', 'p', 'new', 100)),
  },
  {
    name: 'ten puts while the index grows',
    fill: crowd,
    begin:
      ({ pool }) =>
      () => {
        for (const id of newcomers) pool.put(id, 'p', Uint8Array.of(1), { tags: [id] });
      },
    expect: inOrder(newcomers.map((id) => `${id}/p`)),
  },
  {
    name: 'deletes while the index grows',
    fill: crowd,
    begin: ({ pool }) => {
      pool.put('a', 'p', pattern('new', 10));
      return () => {
        for (const id of ['crowd-1', 'crowd-100', 'a']) pool.delete(id);
        pool.put('crowd-7', 'p', pattern('replaced', 10));
      };
    },
  },
  {
    name: 'put that adds a segment',
    memory: { capacityBytes: 8 * mib, segmentBytes: 4 * mib },
    fill: ({ pool }) => {
      for (let i = 0; i < 35; i++) pool.put(`s-${i}`, 'p', pattern(`${i}`, 100 * kib));
    },
    begin: later(put('a', 'p', 'new', 700 * kib)),
  },
  {
    name: 'setCapacity that evicts and drops a segment',
    memory: { capacityBytes: 8 * mib, segmentBytes: 4 * mib },
    fill: ({ pool }) => {
      for (let i = 0; i < 60; i++) pool.put(`s-${i}`, 'p', pattern(`${i}`, 100 * kib));
    },
    begin:
      ({ pool }) =>
      () =>
        pool.setCapacity(4 * mib),
  },
  {
    name: 'setCapacity that raises',
    memory: { capacityBytes: 4 * mib, maxCapacityBytes: 8 * mib },
    fill: bystanders,
    begin:
      ({ pool }) =>
      () =>
        pool.setCapacity(8 * mib),
  },
];

/** A sensitive draft under way. */
function draft({ pool }: OwnedPool): Draft {
  const begun = pool.beginPut('a', 'p', 100, { sensitive: true });
  begun.write(pattern('secret new', 100));
  return begun;
}

const drafts: Scenario[] = [
  {
    name: 'draft, from begin to commit',
    fill: both(bystanders, put('a', 'p', 'old', 100)),
    begin:
      ({ pool }) =>
      () => {
        const begun = pool.beginPut('a', 'p', 1000, tagged);
        begun.write(pattern('new', 900));
        begun.write(pattern('more', 8000));
        begun.commit();
      },
  },
  {
    name: 'draft, write that grows it',
    fill: bystanders,
    begin: (owned) => {
      const begun = draft(owned);
      return () => begun.write(pattern('secret new', 10_000));
    },
    secrets: [secret('new')],
  },
  {
    name: 'draft, commit that trims it',
    fill: both(bystanders, put('a', 'p', 'secret old', 100, { sensitive: true })),
    begin: ({ pool }) => {
      const begun = pool.beginPut('a', 'p', 50_000, { sensitive: true });
      begun.write(pattern('secret new', 100));
      return () => begun.commit();
    },
    secrets: [secret('old'), secret('new')],
  },
  {
    name: 'draft, abort',
    fill: bystanders,
    begin: (owned) => {
      const begun = draft(owned);
      return () => begun.abort();
    },
    secrets: [secret('new')],
  },
];

const marks: Scenario[] = [
  {
    name: 'pin',
    fill: severalParts,
    begin:
      ({ pool }) =>
      () =>
        void pool.pin('a', 'p'),
  },
  {
    name: 'unpin a context',
    fill: both(severalParts, ({ pool }) => void pool.pin('a')),
    begin:
      ({ pool }) =>
      () =>
        void pool.unpin('a'),
  },
  {
    name: 'expire, for the first time',
    fill: severalParts,
    begin:
      ({ pool }) =>
      () =>
        void pool.expire('a', 5000, 'p'),
  },
  {
    name: 'expire, later',
    fill: both(severalParts, ({ pool }) => void pool.expire('a', 5000, 'p')),
    begin:
      ({ pool }) =>
      () =>
        void pool.expire('a', 9000, 'p'),
  },
  {
    name: 'expire, never',
    fill: both(severalParts, ({ pool }) => void pool.expire('a', 5000)),
    begin:
      ({ pool }) =>
      () =>
        void pool.expire('a', undefined),
  },
  {
    name: 'hint',
    fill: severalParts,
    begin:
      ({ pool }) =>
      () =>
        void pool.hint('a', { closed: true }),
  },
  {
    name: 'get',
    fill: severalParts,
    begin:
      ({ pool }) =>
      () =>
        pool.get('a', 'q')?.release(),
  },
  {
    name: 'sweep of what has expired',
    fill: both(severalParts, put('b', 'p', 'old', 3000, { ttlMs: 1000 })),
    begin: ({ pool }) => {
      setNow(nowMs + 2000);
      return () => pool.sweepExpired(1000);
    },
  },
];

function close({ store }: OwnedPool): void {
  closeStore(store);
  store.region.close();
}

const closing: Scenario[] = [
  {
    name: 'close',
    fill: severalParts,
    begin: (owned) => () => close(owned),
  },
  {
    name: 'close with leases and drafts',
    fill: severalParts,
    begin: (owned) => {
      draft(owned);
      owned.pool.get('a', 'p');
      owned.pool.get('a', 'q');
      owned.pool.delete('a', 'q');
      return () => close(owned);
    },
    secrets: [secret('new')],
  },
];

export const scenarios: readonly Scenario[] = [
  ...puts,
  ...appends,
  ...removals,
  ...growth,
  ...drafts,
  ...marks,
  ...closing,
];
