/** Puts, appends and drafts that are killed. */

import assert from 'node:assert/strict';
import { nowMs, setNow, type Scenario } from './harness.ts';
import {
  pattern,
  bystanders,
  inOrder,
  put,
  later,
  both,
  tagged,
  longId,
  secret,
  draft,
} from './steps.ts';

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
    name: 'put, replacing in place',
    fill: both(bystanders, put('a', 'p', 'old', 3000)),
    begin: later(put('a', 'p', 'new', 2990)),
  },
  {
    name: 'put, replacing in place again',
    fill: both(bystanders, put('a', 'p', 'older', 3000), put('a', 'p', 'old', 2900)),
    begin: later(put('a', 'p', 'new', 2990)),
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

/** From here on versions are larger than the low word of their counter. */
const carryMs = nowMs + 1_742_848;
let versionBefore = 0;

const versions: Scenario[] = [
  {
    name: 'put whose version carries',
    fill: put('by', 'p', 'bystander', 100),
    begin: ({ pool }) => {
      setNow(carryMs - 1);
      versionBefore = pool.put('gone', 'p', 'x');
      pool.delete('gone');
      setNow(carryMs);
      return () => pool.put('a', 'p', 'new');
    },
    // Even with a clock that has gone back versions rise.
    afterwards: ({ pool }) => {
      setNow(nowMs - 1_000_000);
      assert(pool.put('gone', 'p', 'y') > versionBefore);
    },
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
    name: 'append that grows a large block',
    fill: both(bystanders, put('a', 'p', 'old', 70_000, { ...tagged, pinned: true })),
    begin:
      ({ pool }) =>
      () =>
        void pool.append('a', 'p', pattern('more', 20_000)),
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

export const writes: readonly Scenario[] = [...puts, ...versions, ...appends, ...drafts];
