/** What a wire asks of the rules: who calls, with which pool, and how much of it may be used. */

import type { Pool, PoolStats } from '../pool/api.ts';

/** What a key may be used for. `admin` is for tenants and keys, and gives no access to what tenants keep. */
export const scopes = ['ctx:read', 'ctx:write', 'ctx:delete', 'admin'] as const;
export type Scope = (typeof scopes)[number];

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
  /** The tenant as no other ever is called, not even one that gets its name when it was removed: for what is kept outside of its pool. */
  readonly tenantIdentity: string;
  /** False once the key is revoked or the tenant is gone: nothing more is done for the caller. */
  readonly isValid: boolean;

  can(scope: Scope): boolean;

  /** @throws forbidden, naming the scope */
  demand(scope: Scope): void;

  /** The pool of the tenant while it is open: the quick way of `open`. */
  readonly pool: Pool | undefined;

  /** Opens the pool of the tenant, which is closed when it has been idle. Between `begin` and `end` it stays open. */
  open(): Promise<Pool>;

  /**
   * Reserves one operation and the bytes that it holds in memory outside of the pool or in leases, until they are sent.
   * @throws rate_limited, budget_exceeded, unauthorized when no longer valid; nothing is reserved then
   */
  begin(inFlightBytes: number): void;

  /** Reserves further bytes for an operation that has begun. @throws budget_exceeded; nothing is reserved then */
  grow(inFlightBytes: number): void;

  /** Gives back what `begin` reserved, and `grow` after it, once for each `begin`, on every way out. */
  end(inFlightBytes: number): void;
}

/** Bounds of a tenant; what is absent is bounded by the server's own limits only. */
export interface Quotas {
  /** Memory of its pool: beyond it the coldest parts go. Absent (tenant `default` only): what the other tenants leave. */
  readonly capacityBytes?: number;
  /** Bytes of the blocks that hold its parts: beyond it writes are refused, and nothing goes. A part and its replacement are there both for a moment. */
  readonly storedBytes?: number;
  /** Contexts: beyond it writes of new ones are refused. */
  readonly contexts?: number;
  /** Bytes that its running operations hold outside of the pool or in leases. */
  readonly inFlightBytes?: number;
  /** Operations begun; a second's worth may come at once. */
  readonly opsPerSecond?: number;
}

/** Why a tenant was refused: the codes of the errors. */
export type TenantRefusal = 'rate_limited' | 'budget_exceeded';

export interface TenantStatus {
  readonly name: string;
  readonly createdAtMs: number;
  readonly quotas: Quotas;
  /** What its pool may have now. */
  readonly capacityBytes: number;
  readonly isOpen: boolean;
  readonly runningOperations: number;
  readonly inFlightBytes: number;
  /** Bytes of the blocks of its parts, as last known; undefined until its pool was open. */
  readonly storedBytes: number | undefined;
  /** Since the server started. */
  readonly operations: number;
  readonly refusals: Readonly<Record<TenantRefusal, number>>;
}

export interface KeyInfo {
  /** Names the key without telling it. */
  readonly id: string;
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  readonly label: string | undefined;
  readonly createdAtMs: number;
}

export interface NewKeyOptions {
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  /** For people. */
  readonly label?: string;
}

export interface NewKey extends KeyInfo {
  /** The key itself, which is stored nowhere. */
  readonly key: string;
}

/** Changes of tenants and keys, durable when they resolve. */
export interface Administration {
  /** Makes a tenant, or replaces the quotas of one. @throws invalid_argument, pool_full when what others hold cannot shrink */
  putTenant(
    name: string,
    quotas: Quotas,
  ): Promise<{ readonly created: boolean; readonly tenant: TenantStatus }>;
  /** Removes a tenant with its keys and all that it keeps. @throws not_found, invalid_argument for `default` */
  deleteTenant(name: string): Promise<void>;
  keys(): readonly KeyInfo[];
  /** @throws not_found without such a tenant, invalid_argument */
  createKey(options: NewKeyOptions): Promise<NewKey>;
  /** @throws not_found */
  deleteKey(id: string): Promise<void>;
}

/** The rules as a server needs them: with what it shows and lets change. */
export interface ServedGuard extends Guard {
  /** All tenants in the order of their names. */
  tenants(): readonly TenantStatus[];
  /** Statistics of a tenant's pool: of now, or of when it was closed; undefined until it was open. */
  poolStats(tenant: string): PoolStats | undefined;
  /** Undefined where there is one pool and no tenants. */
  readonly administration: Administration | undefined;
}
