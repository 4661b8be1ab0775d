/** The operations, each done to the pool and to the oracle. */

import assert from 'node:assert/strict';
import { bytesOf, expectCode, expectInfo, expectUnchanged } from './looks.ts';
import type { HeldDraft, Model } from './model.ts';

export const leasesMax = 20;
const draftsMax = 3;

export function put(model: Model): void {
  const { samples, rules } = model;
  const [id, part] = model.anyPart();
  const value = samples.value(rules.largestBytes);
  const options = model.withVersion(id, part, samples.putOptions(rules.holds));
  model.write(id, part, model.conflict(id, part, options.ifVersion), () => {
    const version = model.owned.pool.put(id, part, value.data, options);
    model.stored(id, part, value, options, version);
  });
}

export function append(model: Model): void {
  const { samples, oracle } = model;
  const [id, part] = model.anyPart();
  const old = oracle.get(id, part);
  const fits = old !== undefined && !samples.oneIn(10);
  const value = fits
    ? samples.valueOf(old.elementType, samples.below(3000))
    : samples.value(10_000);
  const { ifVersion } = model.withVersion(id, part, {});
  const mismatch = old !== undefined && old.elementType !== value.elementType;
  const expected =
    model.conflict(id, part, ifVersion) ?? (mismatch ? 'element_type_mismatch' : undefined);
  model.write(id, part, expected, () => {
    const options = ifVersion === undefined ? {} : { ifVersion };
    const version = model.owned.pool.append(id, part, value.data, options);
    if (old === undefined) {
      model.stored(id, part, value, {}, version);
      return;
    }
    assert(version > old.version);
    oracle.set(id, part, { ...old, bytes: Buffer.concat([old.bytes, value.bytes]), version });
  });
}

/** Takes a lease, and keeps it for a while. */
export function get(model: Model): void {
  const [id, part] = model.anyPart();
  const lease = model.expectPart(id, part);
  if (lease === undefined) return;
  if (!model.rules.holds || model.leases.length >= leasesMax || !model.samples.oneIn(3)) {
    lease.release();
    lease.release();
    return;
  }
  const bytes = bytesOf(lease).slice();
  model.leases.push({ id, part, lease, bytes, version: lease.version });
}

export function release(model: Model): void {
  const [held] = model.leases.splice(model.samples.below(leasesMax), 1);
  if (held === undefined) return;
  expectUnchanged(held);
  held.lease.release();
  expectCode('lease_released', () => held.lease.data);
}

export function remove(model: Model): void {
  const { oracle } = model;
  const [id, part] = model.anyPart();
  const { pool } = model.owned;
  if (model.samples.oneIn(4)) {
    const parts = oracle.partsOf(id);
    assert.equal(pool.delete(id), parts.length);
    for (const [name] of parts) oracle.remove(id, name);
    assert.equal(pool.context(id), undefined);
    return;
  }
  const { ifVersion } = model.withVersion(id, part, {});
  const there = oracle.get(id, part) !== undefined;
  model.write(id, part, model.conflict(id, part, ifVersion), () => {
    const options = ifVersion === undefined ? {} : { ifVersion };
    assert.equal(pool.delete(id, part, options), there ? 1 : 0);
    oracle.remove(id, part);
  });
}

/** Begins a draft, or goes on with one. */
export function draft(model: Model): void {
  const { samples } = model;
  const held = model.drafts[samples.below(draftsMax)];
  if (held === undefined) {
    if (model.drafts.length < draftsMax) beginDraft(model);
  } else if (samples.oneIn(8)) {
    held.draft.abort();
    model.drafts.splice(model.drafts.indexOf(held), 1);
  } else if (samples.oneIn(3)) {
    commitDraft(model, held);
  } else {
    writeDraft(model, held);
  }
}

function beginDraft(model: Model): void {
  const { samples, rules } = model;
  const [id, part] = model.anyPart();
  const elementType = samples.pick(['u8', 'u16', 'u32', 'f64', 'utf8'] as const);
  const plain = samples.putOptions(rules.holds);
  const options = model.withVersion(id, part, { ...plain, elementType });
  const reserveBytes = samples.sizeBytes(rules.largestBytes);
  model.write(id, part, model.conflict(id, part, options.ifVersion), () => {
    const begun = model.owned.pool.beginPut(id, part, reserveBytes, options);
    const held = { id, part, draft: begun, options, chunks: [], begunMs: model.nowMs };
    model.drafts.push(held);
    if (rules.holds) return;
    writeDraft(model, held);
    commitDraft(model, held);
  });
}

function writeDraft(model: Model, held: HeldDraft): void {
  const { samples } = model;
  const { id, part, chunks } = held;
  const chunk = samples.noise(samples.sizeBytes(model.rules.largestBytes / 4) & ~7);
  const done = model.write(id, part, undefined, () => {
    held.draft.write(chunk);
    chunks.push(chunk.slice());
  });
  if (!done) model.drafts.splice(model.drafts.indexOf(held), 1);
  else assert.equal(held.draft.sizeBytes, Buffer.concat(chunks).length);
}

function commitDraft(model: Model, held: HeldDraft): void {
  const { id, part, options, chunks } = held;
  model.drafts.splice(model.drafts.indexOf(held), 1);
  model.write(id, part, model.conflict(id, part, options.ifVersion), () => {
    const version = held.draft.commit();
    const elementType = options.elementType ?? 'u8';
    const value = { data: '', bytes: Buffer.concat(chunks), elementType };
    // The time of a draft's part runs from its beginning.
    model.stored(id, part, value, options, version, held.begunMs);
  });
}

export function expire(model: Model): void {
  const { samples } = model;
  const [id, part] = model.anyPart();
  const ttlMs = samples.oneIn(3) ? undefined : 1 + samples.below(10_000);
  const only = samples.oneIn(2) ? part : undefined;
  const parts = model.oracle.partsOf(id, only);
  assert.equal(model.owned.pool.expire(id, ttlMs, only), parts.length);
  const at = ttlMs === undefined ? undefined : model.nowMs + ttlMs;
  for (const [, each] of parts) each.expiresAtMs = at;
}

export function pin(model: Model): void {
  const { samples } = model;
  const [id, part] = model.anyPart();
  const only = samples.oneIn(2) ? part : undefined;
  const parts = model.oracle.partsOf(id, only);
  const { pool } = model.owned;
  const pinned = model.rules.holds && samples.oneIn(4);
  assert.equal(pinned ? pool.pin(id, only) : pool.unpin(id, only), parts.length);
  for (const [, each] of parts) each.pinned = pinned;
}

export function invalidate(model: Model): void {
  const { samples } = model;
  if (!samples.oneIn(4)) return;
  const dependency = `dep:${samples.ids[samples.below(4)]}`;
  const tag = samples.oneIn(2) ? samples.pick(samples.tags) : dependency;
  const tagged = model.oracle.withTag(tag);
  assert.equal(model.owned.pool.invalidate({ tag }), tagged.length);
  for (const [id, part] of tagged) model.oracle.remove(id, part);
}

export function hint(model: Model): void {
  const [id] = model.anyPart();
  const hints = [{ closed: true }, { toolPending: true }, { stop: 'end_turn' }] as const;
  const count = model.owned.pool.hint(id, model.samples.pick(hints));
  assert.equal(count, model.oracle.partsOf(id).length);
}

export function describe(model: Model): void {
  const [id, part] = model.anyPart();
  const { pool } = model.owned;
  const expected = model.oracle.get(id, part);
  assert.equal(pool.where(id, part), expected === undefined ? undefined : 'hot');
  expectInfo(pool.describe(id, part), expected);
  const context = pool.context(id);
  assert.equal(context?.parts.length ?? 0, model.oracle.partsOf(id).length);
  for (const info of context?.parts ?? []) expectInfo(info, model.oracle.get(id, info.part));
}

/** Pages through some of the contexts. */
export function list(model: Model): void {
  const { samples } = model;
  const prefix = samples.pick(['', 'chat-', 'chat-1', 'user:', '字', '\ufeff', 'none']);
  const ids = model.oracle.ids().filter((id) => id.startsWith(prefix));
  const limit = 1 + samples.below(40);
  const seen: string[] = [];
  for (let page = 0; page < 3; page++) {
    const after = seen.at(-1);
    const options = { prefix, limit, ...(after === undefined ? {} : { after }) };
    const found = model.owned.pool.list(options);
    seen.push(...found.map(({ id }) => id));
    if (found.length < limit) break;
  }
  assert.deepEqual(seen, ids.slice(0, 3 * limit));
}

export function sweep(model: Model): void {
  model.owned.pool.sweepExpired(model.samples.oneIn(2) ? 100 : 2 ** 30);
}

/** Moves what is there, or gives back what is not: nobody sees any of it. */
export function tidy(model: Model): void {
  const { pool } = model.owned;
  if (model.samples.oneIn(2)) pool.compact(2 ** 20);
  else pool.trim();
}

export function setCapacity(model: Model): void {
  const bounds = model.rules.capacity;
  if (bounds === undefined) return;
  const { minBytes, maxBytes } = bounds;
  const capacityBytes = minBytes + model.samples.below(maxBytes - minBytes + 1);
  const { pool } = model.owned;
  const before = pool.stats().capacityBytes;
  const done = model.write('', '', undefined, () => pool.setCapacity(capacityBytes));
  if (!done) assert.equal(pool.stats().capacityBytes, before);
}

/** Versions must rise all the same. What has expired already is gone for good before. */
export function clockGoesBack(model: Model): void {
  model.owned.pool.sweepExpired(2 ** 30);
  model.oracle.ids();
  model.nowMs -= model.samples.below(10_000);
}
