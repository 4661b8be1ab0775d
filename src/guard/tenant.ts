/** A tenant of a running server: its usage, and its pool while that is open. */

import type { Clock } from '../base/clock.ts';
import type { Pool, PoolStats } from '../pool/api.ts';
import type { Quotas, TenantStatus } from './api.ts';
import type { TenantUsage } from './shared-usage.ts';
import { Usage } from './usage.ts';

/** What a tenant's pool comes from. */
export interface PoolSource {
  /**
   * Makes room first where as many are open as may be.
   * @throws overloaded, unauthorized when the tenant was removed, and as openPool
   */
  open(tenant: Tenant): Promise<Pool>;
}

export interface TenantSpec {
  readonly name: string;
  readonly createdAtMs: number;
  readonly quotas: Quotas;
}

/**
 * ```
 *           open()                    pool opened
 *  closed ─────────▶ opening ─────────────────────▶ open
 *     ▲                 │ failed                      │ close(): nothing runs
 *     └─────────────────┴──────── closing ◀───────────┘
 * ```
 */
export class Tenant {
  readonly name: string;
  readonly createdAtMs: number;
  readonly usage: Usage;
  /** What its pool may have. */
  capacityBytes: number;
  /** False once it was removed. */
  isHere = true;
  readonly #source: PoolSource;
  #pool: Pool | undefined;
  #opening: Promise<Pool> | undefined;
  #closing: Promise<void> | undefined;
  #lastStats: PoolStats | undefined;
  #lastUsedMs = 0;
  #seenOperations = 0;

  constructor(
    spec: TenantSpec,
    capacityBytes: number,
    source: PoolSource,
    clock: Clock,
    shared?: TenantUsage,
  ) {
    this.name = spec.name;
    this.createdAtMs = spec.createdAtMs;
    this.usage = new Usage(spec.quotas, clock, shared);
    this.capacityBytes = capacityBytes;
    this.#source = source;
  }

  get pool(): Pool | undefined {
    return this.#pool;
  }

  /** Open, or on the way to it or from it: it takes one of the places. */
  get holdsPlace(): boolean {
    return (this.#pool ?? this.#opening ?? this.#closing) !== undefined;
  }

  get isIdle(): boolean {
    return this.#pool !== undefined && this.usage.running === 0;
  }

  /** When an operation was last seen to run, as `look` was told the time. */
  get lastUsedMs(): number {
    return this.#lastUsedMs;
  }

  /** To be called now and then: operations are not timed one by one. */
  look(nowMs: number): void {
    const { running, operations } = this.usage;
    if (running > 0 || operations !== this.#seenOperations) this.#lastUsedMs = nowMs;
    this.#seenOperations = operations;
  }

  /** @throws what its source throws */
  async open(): Promise<Pool> {
    await this.#closing;
    if (this.#pool !== undefined) return this.#pool;
    this.#opening ??= this.#openNow();
    return this.#opening;
  }

  async #openNow(): Promise<Pool> {
    try {
      const pool = await this.#source.open(this);
      this.#pool = pool;
      this.usage.follow(pool);
      return pool;
    } finally {
      this.#opening = undefined;
    }
  }

  /** Changes the bound of its pool. @throws pool_full when what is pinned or leased does not fit: nothing has changed then */
  resize(capacityBytes: number): void {
    if (capacityBytes === this.capacityBytes) return;
    if (this.#pool !== undefined) {
      this.#pool.setCapacity(capacityBytes);
      if (capacityBytes < this.capacityBytes) this.#pool.trim();
    }
    this.capacityBytes = capacityBytes;
  }

  /** Closes the pool, unless an operation runs. */
  async close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    const pool = this.#pool;
    if (pool === undefined || this.usage.running > 0) return undefined;
    this.#lastStats = pool.stats();
    this.usage.follow(undefined);
    this.#pool = undefined;
    this.#closing = pool.close().finally(() => {
      this.#closing = undefined;
    });
    return this.#closing;
  }

  poolStats(): PoolStats | undefined {
    return this.#pool?.stats() ?? this.#lastStats;
  }

  status(): TenantStatus {
    const { quotas, running, inFlightBytes, storedBytes, operations, refusals } = this.usage;
    return {
      name: this.name,
      createdAtMs: this.createdAtMs,
      quotas,
      capacityBytes: this.capacityBytes,
      isOpen: this.#pool !== undefined,
      runningOperations: running,
      inFlightBytes,
      storedBytes,
      operations,
      refusals: { ...refusals },
    };
  }
}
