/**
 * Putting a part: its bytes are in memory before the pen is taken, which is then held as long for a large part as for a small one.
 */

import { fail } from '../errors.ts';
import { copyTargetOf } from '../memory/region.ts';
import { copyInto } from '../memory/words.ts';
import { bump, counter } from './counters.ts';
import { byteOf, segmentOf } from './entry.ts';
import { checksumOfCopy } from './payload.ts';
import {
  admitContext,
  checkVersion,
  freePayload,
  type PartSpec,
  type Payload,
  publish,
  reservePayload,
} from './publish.ts';
import type { Store } from './store.ts';

/** Replaces or creates the part that `store.key` names. @throws version_conflict, value_too_large, pool_full, pool_busy */
export function put(store: Store, spec: PartSpec, bytes: Uint8Array): number {
  const checked = checkBefore(store, spec);
  const payload = reservePayload(store, spec.kind, bytes.length);
  try {
    fillPayload(store, payload, bytes);
    return publishPut(store, spec, payload, checked);
  } catch (error) {
    freePayload(store, spec, payload);
    throw error;
  }
}

const unchecked = -1;

/**
 * What would be refused in the end is refused before anything is evicted for it.
 * @returns the turn of the pen in which it was checked @throws version_conflict, budget_exceeded, pool_busy
 */
export function checkBefore(store: Store, spec: PartSpec): number {
  if (spec.ifVersion === undefined && !store.hooks.countsContexts) return unchecked;
  store.pen.take();
  try {
    const old = store.findFresh();
    checkVersion(store, old, spec.ifVersion);
    admitContext(store, old);
    return store.pen.turn;
  } finally {
    store.pen.give();
  }
}

/** Copies the bytes of a part into its memory. */
export function fillPayload(store: Store, payload: Payload, bytes: Uint8Array): void {
  const target = copyTargetOf(segmentOf(store.region, payload.ref));
  const to = byteOf(store.region, payload.ref);
  if (bytes.length > 0) copyInto(target, to, bytes);
  if (store.options.checksums) payload.crc32 = checksumOfCopy(bytes, target, to);
}

/**
 * Publishes under the pen.
 * @param checked the turn in which it was checked: what nobody has changed since needs no second question
 * @throws version_conflict, budget_exceeded, pool_full, pool_busy: the payload is the caller's
 */
export function publishPut(
  store: Store,
  spec: PartSpec,
  payload: Payload,
  checked: number = unchecked,
): number {
  store.pen.take();
  try {
    const old = store.findFresh();
    checkVersion(store, old, spec.ifVersion);
    if (spec.returning?.mayCome(old) === false) {
      fail('version_conflict', `Version ${spec.returning.version} must not come back.`);
    }
    if (store.pen.turn !== ((checked + 1) | 0)) admitContext(store, old);
    store.protectedEntry = old;
    const version = publish(store, spec, payload, old);
    if (spec.returning === undefined) bump(store.control, store.countersAt + counter.puts, 1);
    return version;
  } finally {
    store.protectedEntry = 0;
    store.pen.give();
  }
}
