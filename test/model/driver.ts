/** Random operations by weight, and the looks at everything between them. */

import assert from 'node:assert/strict';
import { leakedBlocks } from '../support/owned-memory.ts';
import { expectUnchanged } from './looks.ts';
import { Model, type Rules } from './model.ts';
import * as operations from './operations.ts';

type Operation = (model: Model) => void;

/** Operations and their shares of 1000. */
const weights: readonly [Operation, number][] = [
  [operations.put, 250],
  [operations.append, 200],
  [operations.get, 200],
  [operations.remove, 70],
  [operations.draft, 75],
  [operations.expire, 20],
  [operations.pin, 20],
  [operations.invalidate, 20],
  [operations.hint, 20],
  [operations.describe, 40],
  [operations.release, 40],
  [operations.list, 20],
  [operations.sweep, 10],
  [operations.tidy, 8],
  [operations.setCapacity, 5],
  [operations.clockGoesBack, 4],
];
const reopenWeight = 3;
const crashWeight = 3;

export class Driver {
  readonly model: Model;

  constructor(seed: number, rules: Rules) {
    this.model = new Model(seed, rules);
  }

  /** One random operation. */
  async step(): Promise<void> {
    const { model } = this;
    const { samples } = model;
    model.nowMs += samples.below(20);
    await this.#operate(samples.below(1000));
    const lease = model.leases[samples.below(operations.leasesMax)];
    if (lease !== undefined) expectUnchanged(lease);
    model.expectBound();
    if (model.wrongs.length > 0) throw model.wrongs[0];
  }

  /** Compares everything there is. */
  compare(): void {
    const { model } = this;
    const { pool } = model.owned;
    pool.sweepExpired(2 ** 30);
    const ids = model.oracle.ids();
    const listed = pool.list({ limit: 10_000 });
    assert.deepEqual(
      listed.map(({ id }) => id),
      ids,
    );
    for (const { id, parts } of listed) {
      const names = model.oracle.partsOf(id).map(([part]) => part);
      assert.deepEqual(parts.map(({ part }) => part).sort(), names.sort());
      for (const { part } of parts) model.expectPart(id, part)?.release();
    }
    const all = model.oracle.all();
    const stats = pool.stats();
    assert.equal(stats.contexts, ids.length);
    assert.equal(stats.parts, all.length);
    assert.equal(stats.pinnedParts, all.filter(([, , part]) => part.pinned).length);
    assert.equal(
      stats.partBytes,
      all.reduce((sum, [, , part]) => sum + part.bytes.length, 0),
    );
    model.leases.forEach(expectUnchanged);
    assert.deepEqual(pool.check().errors, []);
    assert(leakedBlocks(model.owned.store).length <= model.drafts.length);
  }

  /** Lets everything go; then nothing but tables and entries may be left. */
  empty(): void {
    const { model } = this;
    const { pool, store } = model.owned;
    for (const { lease } of model.leases.splice(0)) lease.release();
    for (const { draft } of model.drafts.splice(0)) draft.abort();
    for (const id of model.oracle.ids()) {
      const parts = model.oracle.partsOf(id);
      assert.equal(pool.delete(id), parts.length);
      for (const [part] of parts) model.oracle.remove(id, part);
    }
    this.compare();
    assert.equal(pool.stats().retiredParts, 0);
    assert.deepEqual(leakedBlocks(store), []);
    const { kinds } = pool.stats().memory;
    assert.equal(
      kinds.reduce((sum, kind) => sum + kind.liveBytes, 0),
      kinds[0]?.liveBytes,
    );
  }

  async #operate(draw: number): Promise<void> {
    let rest = draw;
    for (const [operation, weight] of weights) {
      rest -= weight;
      if (rest < 0) return operation(this.model);
    }
    if (rest < reopenWeight) await this.#reopen();
    else if (rest < reopenWeight + crashWeight) await this.#crash();
  }

  async #reopen(): Promise<void> {
    const { model } = this;
    if (model.rules.reopen === undefined) return;
    model.leases = [];
    model.drafts = [];
    model.owned = await model.rules.reopen(model.owned);
    assert.equal(model.owned.recovery, undefined);
    this.compare();
  }

  async #crash(): Promise<void> {
    const { model } = this;
    if (model.rules.crash === undefined) return;
    model.leases = [];
    model.drafts = [];
    model.owned = await model.rules.crash(model.owned);
    assert.equal(model.owned.recovery?.dropped, 0);
    this.compare();
  }
}
