/** Removals, growth, marks and closing that are killed. */

import assert from 'node:assert/strict';
import { closeStore } from '../../src/store/open.ts';
import type { OwnedPool } from '../support/owned-memory.ts';
import { nowMs, setNow, type Scenario } from './harness.ts';
import {
  mib,
  kib,
  pattern,
  bystanders,
  together,
  inOrder,
  put,
  later,
  both,
  longId,
  secret,
  severalParts,
  partsOfA,
  draft,
} from './steps.ts';

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
    name: 'delete a second context',
    fill: both(severalParts, put('z', 'p', 'one', 100), put('z', 'q', 'two', 100)),
    begin: (owned) => {
      owned.pool.delete('z');
      // What the first deletion named is a part of another context by now.
      both(put('y', 'p', 'taken', 100), put('y', 'q', 'taken', 100))(owned);
      return () => owned.pool.delete('a');
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
    name: 'compaction',
    fill: both(
      put('gap', 'p', 'one', 30 * kib),
      bystanders,
      put('a', 'p', 'old', 20 * kib),
      put('a', 'q', 'secret', 9 * kib, { sensitive: true }),
    ),
    begin: ({ pool }) => {
      pool.delete('gap');
      return () => assert(pool.compact().movedParts >= 2);
    },
  },
  {
    name: 'trim, and put into what was given back',
    memory: { capacityBytes: 8 * mib, segmentBytes: 4 * mib },
    fill: both(put('gap', 'p', 'one', 3 * mib), bystanders, put('gap', 'q', 'two', 2 * mib)),
    begin: ({ pool }) => {
      pool.delete('gap');
      return () => {
        assert(pool.trim() > 0);
        pool.put('a', 'p', pattern('new', 200 * kib));
      };
    },
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

export const changes: readonly Scenario[] = [...removals, ...growth, ...marks, ...closing];
