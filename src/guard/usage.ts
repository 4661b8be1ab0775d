/** What a tenant uses, held against its quotas: reserved before work, refunded after it. */

import type { Clock } from '../base/clock.ts';
import { fail } from '../errors.ts';
import type { Pool } from '../pool/api.ts';
import type { Budget } from '../store/hooks.ts';
import type { Quotas, TenantRefusal } from './api.ts';
import type { TenantUsage } from './shared-usage.ts';
import { Throttled } from './throttled.ts';
import { TokenBucket } from './token-bucket.ts';

/** What one that may do nothing is told to wait. */
const hourMs = 3_600_000;

/** What a pool that others write to holds, and what is to be part of it. */
type SharedPool = Pick<Pool, 'partBytes' | 'draftBytes'>;

export class Usage {
  readonly #clock: Clock;
  /** What other workers of the server must know of it, and it of them. */
  readonly #shared: TenantUsage | undefined;
  #quotas: Quotas = {};
  #maxInFlightBytes = Infinity;
  #bucket: TokenBucket | undefined;
  #storedBytes: number | undefined;
  /** Where others write to the pool too: the pool. */
  #pool: SharedPool | undefined;
  running = 0;
  inFlightBytes = 0;
  operations = 0;
  readonly refusals: Record<TenantRefusal, number> = { rate_limited: 0, budget_exceeded: 0 };

  constructor(quotas: Quotas, clock: Clock, shared?: TenantUsage) {
    this.#clock = clock;
    this.#shared = shared;
    this.quotas = quotas;
  }

  get quotas(): Quotas {
    return this.#quotas;
  }

  /** What is reserved already stays so. */
  set quotas(quotas: Quotas) {
    const { opsPerSecond, inFlightBytes } = quotas;
    // An unchanged rate keeps its bucket: setting it again gives nobody a second's worth more.
    if (opsPerSecond !== this.#quotas.opsPerSecond) {
      this.#bucket =
        opsPerSecond === undefined ? undefined : new TokenBucket(opsPerSecond, this.#clock);
      this.#shared?.drop();
    }
    this.#maxInFlightBytes = inFlightBytes ?? Infinity;
    this.#quotas = quotas;
    // Not kept up where nothing is bounded: others would find what was before.
    this.#shared?.hold(inFlightBytes === undefined ? 0 : this.inFlightBytes);
    this.#sayReserved();
  }

  get storedBytes(): number | undefined {
    return this.#pool?.partBytes ?? this.#storedBytes;
  }

  /** The pool is open, or about to be closed. What others write to it is in it, and not in what was reserved here. */
  follow(pool: SharedPool | undefined): void {
    if (this.#shared === undefined) return;
    this.#storedBytes = this.storedBytes;
    this.#pool = pool;
    this.#sayReserved();
  }

  /** One operation and its bytes. @throws budget_exceeded, rate_limited: nothing is reserved then */
  begin(inFlightBytes: number): void {
    this.#hold(inFlightBytes);
    try {
      if (this.#bucket !== undefined) this.#throttle(this.#bucket);
    } catch (error) {
      this.#release(inFlightBytes);
      throw error;
    }
    this.running++;
    this.operations++;
  }

  /** @throws budget_exceeded: nothing is reserved then */
  grow(inFlightBytes: number): void {
    this.#hold(inFlightBytes);
  }

  end(inFlightBytes: number): void {
    this.#release(inFlightBytes);
    if (this.#quotas.storedBytes !== undefined) this.#sayReserved();
    this.running--;
  }

  /** The budget of a pool that is about to be opened: it counts anew. */
  budget(): Budget {
    this.#storedBytes = 0;
    return {
      opened: (sizeBytes) => this.#store(sizeBytes),
      reserve: (_, sizeBytes) => {
        this.#checkStored(sizeBytes);
        this.#store(sizeBytes);
      },
      refund: (_, sizeBytes) => this.#store(-sizeBytes),
      admitContext: (contexts) => this.#checkContexts(contexts),
    };
  }

  #store(sizeBytes: number): void {
    this.#storedBytes = (this.#storedBytes ?? 0) + sizeBytes;
  }

  #hold(sizeBytes: number): void {
    this.inFlightBytes += sizeBytes;
    const max = this.#maxInFlightBytes;
    if (max === Infinity) return;
    this.#shared?.hold(this.inFlightBytes);
    const held = this.inFlightBytes + (this.#shared?.heldByOthers() ?? 0);
    if (held <= max) return;
    this.#release(sizeBytes);
    this.#refuse(
      `Running operations hold ${held - sizeBytes} of ${max} bytes in flight; ${sizeBytes} more do not fit.`,
    );
  }

  #release(sizeBytes: number): void {
    this.inFlightBytes -= sizeBytes;
    if (this.#maxInFlightBytes !== Infinity) this.#shared?.hold(this.inFlightBytes);
  }

  #checkStored(sizeBytes: number): void {
    const { storedBytes: max } = this.#quotas;
    if (max === undefined) return;
    this.#sayReserved(sizeBytes);
    const held = (this.storedBytes ?? 0) + this.#reservedBytes();
    if (held + sizeBytes <= max) return;
    this.#sayReserved();
    this.#refuse(`Parts hold ${held} of ${max} bytes; ${sizeBytes} more do not fit.`);
  }

  /** What all workers have reserved and is no part yet: none of it is counted by the pool. */
  #reservedBytes(): number {
    if (this.#pool === undefined) return 0;
    return this.#pool.draftBytes + (this.#shared?.reservedByOthers() ?? 0);
  }

  /** Tells the others what is reserved here, and is about to be: said before the sum is looked at, as what is in flight. */
  #sayReserved(moreBytes = 0): void {
    const isBounded = this.#quotas.storedBytes !== undefined;
    this.#shared?.reserve(isBounded ? (this.#pool?.draftBytes ?? 0) + moreBytes : 0);
  }

  #checkContexts(contexts: number): void {
    const { contexts: max } = this.#quotas;
    if (max === undefined || contexts < max) return;
    this.#refuse(`There are ${contexts} contexts, and no more than ${max} may be.`);
  }

  #refuse(message: string): never {
    this.refusals.budget_exceeded++;
    fail('budget_exceeded', message);
  }

  #throttle(bucket: TokenBucket): void {
    const { opsPerSecond = 0 } = this.#quotas;
    const waitMs = this.#shared?.take(opsPerSecond, this.#clock) ?? bucket.take();
    if (waitMs === 0) return;
    this.refusals.rate_limited++;
    throw new Throttled(
      `More than ${opsPerSecond} operations per second were begun.`,
      Math.min(waitMs, hourMs),
    );
  }
}
