/** The rules of one pool that its opener keeps open: tenant `default`, and no other. */

import { systemClock, type Clock } from '../base/clock.ts';
import type { Pool, PoolStats } from '../pool/api.ts';
import { scopes, type Caller, type ServedGuard, type TenantStatus } from './api.ts';
import { KeyCaller } from './caller.ts';
import type { Auth, KeyRecord } from './keyring.ts';
import { defaultTenant } from './quotas.ts';
import { Tenant } from './tenant.ts';

/** @param auth `none`: everyone is the tenant */
export function poolGuard(pool: Pool, auth: Auth, clock: Clock = systemClock): ServedGuard {
  const spec = { name: defaultTenant, createdAtMs: 0, quotas: {} };
  // The pool is there before anyone asks, and stays.
  const source = { open: () => Promise.resolve(pool) };
  const tenant = new Tenant(spec, 0, source, clock);
  const callers = new Map<KeyRecord, Caller>();
  const callerOf = (record: KeyRecord): Caller => {
    const known = callers.get(record);
    if (known !== undefined) return known;
    const caller = new FixedCaller(tenant, record.scopes, pool);
    callers.set(record, caller);
    return caller;
  };
  return {
    anonymous: auth === 'none' ? new FixedCaller(tenant, scopes, pool) : undefined,
    identify(key, name) {
      const record = auth === 'none' ? undefined : auth.find(key);
      if (record === undefined || record.tenant !== defaultTenant) return undefined;
      return name === undefined || name === defaultTenant ? callerOf(record) : undefined;
    },
    tenants: (): readonly TenantStatus[] => {
      const { capacityBytes } = pool.stats();
      return [{ ...tenant.status(), capacityBytes, isOpen: true }];
    },
    poolStats: (name): PoolStats | undefined => (name === defaultTenant ? pool.stats() : undefined),
    administration: undefined,
  };
}

class FixedCaller extends KeyCaller {
  readonly #fixed: Pool;

  constructor(tenant: Tenant, allowed: KeyRecord['scopes'], pool: Pool) {
    super(tenant, allowed);
    this.#fixed = pool;
  }

  override get pool(): Pool {
    return this.#fixed;
  }
}
