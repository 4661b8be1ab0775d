/** A pool and its oracle side by side, and the rules that hold between them whatever is done. */

import assert from 'node:assert/strict';
import type { Clock } from '../../src/base/clock.ts';
import { CenoteError, type ErrorCode } from '../../src/errors.ts';
import type { Draft, KindName, Lease, PutOptions } from '../../src/pool/api.ts';
import type { Hooks, RemovalReason } from '../../src/store/hooks.ts';
import type { OwnedPool } from '../support/owned-memory.ts';
import {
  defaultKind,
  expectCode,
  expectInfo,
  expectLease,
  expectSameBytes,
  type HeldLease,
} from './looks.ts';
import { Oracle } from './oracle.ts';
import { Samples, type Sample } from './samples.ts';

/** What a geometry lets happen. */
export interface Rules {
  /** Parts may be evicted; the removals are told through hooks. */
  readonly evicts: boolean;
  /** Whether parts are pinned and leases and drafts are held: where nothing is held, a pool is never full. */
  readonly holds: boolean;
  readonly contexts: number;
  /** Largest value now and then. */
  readonly largestBytes: number;
  /** Bounds of setCapacity; undefined: never called. */
  readonly capacity?: { readonly minBytes: number; readonly maxBytes: number };
  /** Closes the pool and opens it again. */
  readonly reopen?: (owned: OwnedPool) => Promise<OwnedPool>;
  /** Opens the pool as a crash right now would leave it. */
  readonly crash?: (owned: OwnedPool) => Promise<OwnedPool>;
}

export interface HeldDraft {
  readonly id: string;
  readonly part: string;
  readonly draft: Draft;
  readonly options: PutOptions;
  readonly chunks: Uint8Array[];
  readonly begunMs: number;
}

export class Model {
  readonly rules: Rules;
  readonly samples: Samples;
  readonly oracle: Oracle;
  readonly clock: Clock = { nowMs: () => this.nowMs };
  readonly hooks: Hooks;
  owned!: OwnedPool;
  nowMs = 1_700_000_000_000;
  leases: HeldLease[] = [];
  drafts: HeldDraft[] = [];
  /** Bytes reserved and not refunded, by kind. */
  readonly budget: Map<KindName, number> = new Map();
  evictions = 0;
  poolFull = 0;
  /** What was wrong with what hooks were told; a pool goes on when a hook throws. */
  readonly wrongs: unknown[] = [];
  /** The part that the running operation writes: evicting it would be absurd. */
  #writing: string | undefined;

  constructor(seed: number, rules: Rules) {
    this.rules = rules;
    this.samples = new Samples(seed, rules.contexts, rules.evicts);
    this.oracle = new Oracle(() => this.nowMs);
    this.hooks = {
      budget: {
        reserve: (kind, sizeBytes) => this.#account(kind, sizeBytes),
        refund: (kind, sizeBytes) => this.#account(kind, -sizeBytes),
      },
      audit: { record: () => undefined },
      tierSink: { leaving: (...told) => this.#hear(...told) },
    };
  }

  anyPart(): [id: string, part: string] {
    const { samples } = this;
    // Half of all operations meet a few contexts, so that they meet each other.
    const ids = samples.oneIn(2) ? samples.ids.slice(0, 12) : samples.ids;
    return [samples.pick(ids), samples.pick(samples.parts)];
  }

  /** Asks for a version now and then, for the right one half of the time. */
  withVersion(id: string, part: string, options: PutOptions): PutOptions {
    if (!this.samples.oneIn(8)) return options;
    const current = this.oracle.get(id, part)?.version ?? 0;
    const ifVersion = this.samples.pick([current, current, 0, current + 1]);
    return { ...options, ifVersion };
  }

  conflict(id: string, part: string, ifVersion: number | undefined): ErrorCode | undefined {
    const current = this.oracle.get(id, part)?.version ?? 0;
    return ifVersion === undefined || ifVersion === current ? undefined : 'version_conflict';
  }

  /** Runs an operation that may be refused. @returns whether it was done */
  write(id: string, part: string, expected: ErrorCode | undefined, work: () => void): boolean {
    const outer = this.#writing;
    this.#writing = JSON.stringify([id, part]);
    try {
      if (expected !== undefined) {
        expectCode(expected, work);
        return false;
      }
      work();
      return true;
    } catch (error) {
      const full = error instanceof CenoteError && error.code === 'pool_full';
      if (!full || !this.rules.evicts || !this.rules.holds) throw error;
      this.poolFull++;
      return false;
    } finally {
      this.#writing = outer;
    }
  }

  /** The oracle learns of a part that was written as a whole. */
  stored(
    id: string,
    part: string,
    value: Sample,
    options: PutOptions,
    version: number,
    fromMs: number = this.nowMs,
  ): void {
    assert(version > this.oracle.lastVersion(id, part));
    const { tags = [], dependsOn = [], ttlMs } = options;
    this.oracle.set(id, part, {
      bytes: Buffer.from(value.bytes),
      elementType: value.elementType,
      kind: options.kind ?? defaultKind(value.elementType),
      version,
      pinned: options.pinned === true,
      sensitive: options.sensitive === true,
      tags: [...new Set([...tags, ...dependsOn.map((each) => `dep:${each}`)])],
      expiresAtMs: ttlMs === undefined ? undefined : fromMs + ttlMs,
    });
  }

  /** Looks at one part with get and describe. @returns the lease */
  expectPart(id: string, part: string): Lease | undefined {
    const expected = this.oracle.get(id, part);
    const { pool } = this.owned;
    const lease = pool.get(id, part);
    assert.equal(lease === undefined, expected === undefined);
    expectInfo(pool.describe(id, part), expected);
    if (lease === undefined || expected === undefined) return undefined;
    expectLease(lease, expected);
    return lease;
  }

  /** A pool never hands out more than its capacity. */
  expectBound(): void {
    const { capacityBytes, memory } = this.owned.pool.stats();
    assert(memory.usedBytes + memory.metadataBytes <= capacityBytes);
  }

  #account(kind: KindName, sizeBytes: number): void {
    this.budget.set(kind, (this.budget.get(kind) ?? 0) + sizeBytes);
  }

  #hear(...told: Parameters<Hooks['tierSink']['leaving']>): void {
    try {
      this.#left(...told);
    } catch (error) {
      this.wrongs.push(error);
    }
  }

  /** What the store tells of a part that leaves. */
  #left(id: string, part: string, version: number, bytes: Uint8Array, reason: RemovalReason): void {
    const known = this.oracle.peek(id, part);
    if (reason === 'evicted') this.evictions++;
    // The oracle drops what has expired when it meets it; the pool may meet it later.
    if (known === undefined && (reason === 'expired' || reason === 'evicted')) return;
    assert.equal(known?.version, version);
    expectSameBytes(bytes, known?.bytes ?? new Uint8Array());
    if (reason !== 'evicted') return;
    assert(this.rules.evicts);
    assert.notEqual(JSON.stringify([id, part]), this.#writing);
    assert.equal(known?.pinned, false);
    const leased = this.leases.some(
      (held) => held.id === id && held.part === part && held.version === version,
    );
    assert(!leased, 'evicted while leased');
    this.oracle.remove(id, part);
  }
}
