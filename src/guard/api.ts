/** What a wire asks of the rules: who calls, with which pool, and how much of it may be used. */

import type { Pool } from '../pool/api.ts';

/** What a key may be used for. */
export type Scope = 'ctx:read' | 'ctx:write' | 'ctx:delete' | 'admin';

/** The rules of a server. */
export interface Guard {
  /** The caller where no credential is asked for (loopback only); undefined: `identify` it is. */
  readonly anonymous: Caller | undefined;

  /**
   * Whom a key names, compared in constant time.
   * @param tenant where the caller says which tenant it is, that one or nobody
   * @returns undefined: no such key, or not of that tenant
   */
  identify(key: string, tenant?: string): Caller | undefined;
}

/** A tenant as one of its keys may use it. One object per key: wires may hold on to it, until `isValid` says no. */
export interface Caller {
  readonly tenant: string;
  /** False once the key is revoked or the tenant is gone: nothing more is done for the caller. */
  readonly isValid: boolean;

  /** @throws forbidden, naming the scope */
  demand(scope: Scope): void;

  /** The pool of the tenant while it is open: the quick way of `open`. */
  readonly pool: Pool | undefined;

  /** Opens the pool of the tenant, which is closed when it has been idle. Between `begin` and `end` it stays open. */
  open(): Promise<Pool>;

  /**
   * Reserves one operation and the bytes that it holds in memory outside of the pool or in leases, until they are sent.
   * @throws rate_limited, budget_exceeded; nothing is reserved then
   */
  begin(inFlightBytes: number): void;

  /** Gives back what `begin` reserved, once for each, on every way out. */
  end(inFlightBytes: number): void;
}
