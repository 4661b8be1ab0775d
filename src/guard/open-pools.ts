/** Opens the pools of tenants when they are asked for, as many at a time as may be, and closes those that nobody uses. */

import { fail } from '../errors.ts';
import type { OpenOptions, Pool } from '../pool/api.ts';
import { openPool } from '../pool/open.ts';
import { defaultTenant } from './quotas.ts';
import type { PoolSource, Tenant } from './tenant.ts';

/** What a pool has beside memory. */
export type TierChoices = Pick<OpenOptions, 'tiers' | 'keyProvider' | 'onProgress'>;

export interface PoolPolicy {
  /** `shared`: where this machine cannot map files; such pools are never closed, since they would be gone. */
  readonly type: 'mapped' | 'shared';
  /** How many pools are open at once. */
  readonly openMax: number;
  /** A pool that had no operation for so long is closed. */
  readonly idleMs: number;
  /** Folder of the pool of a tenant. */
  readonly pathOf: (tenant: string) => string;
  /** Nobody else may have a pool open when it is opened here. */
  readonly exclusive: boolean;
  /** What the pool of a tenant has beside memory; of mapped pools. */
  readonly tiersOf: (tenant: string) => TierChoices;
  /** The bound on all pools. */
  readonly totalBytes: number;
  /** Takes what another process has changed in the records: a tenant may be gone. */
  readonly takeChanges: () => Promise<void>;
}

export class OpenPools implements PoolSource {
  readonly #policy: PoolPolicy;
  readonly #tenants: ReadonlyMap<string, Tenant>;

  constructor(policy: PoolPolicy, tenants: ReadonlyMap<string, Tenant>) {
    this.#policy = policy;
    this.#tenants = tenants;
  }

  async open(tenant: Tenant): Promise<Pool> {
    await this.#makeRoom(tenant);
    await this.#policy.takeChanges();
    // Its folder may be gone by now: opening would make another.
    if (!tenant.isHere) fail('unauthorized', 'The tenant was removed.');
    const { type, exclusive, pathOf, tiersOf, totalBytes } = this.#policy;
    const { capacityBytes } = tenant;
    const hooks = { budget: tenant.usage.budget() };
    if (type === 'shared') return openPool({ capacityBytes, maxCapacityBytes: totalBytes, hooks });
    const { name } = tenant;
    const path = pathOf(name);
    return openPool({
      path,
      exclusive,
      capacityBytes,
      hooks,
      tenant: name,
      ...tiersOf(name),
    });
  }

  /** Closes what was idle for long. @returns the closings under way */
  closeIdle(nowMs: number): Promise<void>[] {
    const { idleMs } = this.#policy;
    return this.#closable()
      .filter((tenant) => nowMs - tenant.lastUsedMs >= idleMs)
      .map((tenant) => tenant.close());
  }

  /** @throws overloaded when all pools that may be open are in use */
  async #makeRoom(asking: Tenant): Promise<void> {
    const { openMax } = this.#policy;
    for (let left = openMax; this.#placesTaken(asking) >= openMax && left > 0; left--) {
      const [idlest] = this.#closable().sort((a, b) => a.lastUsedMs - b.lastUsedMs);
      if (idlest === undefined) break;
      await idlest.close();
    }
    if (this.#placesTaken(asking) < openMax) return;
    fail('overloaded', `All ${openMax} pools that may be open at once are in use.`);
  }

  #placesTaken(asking: Tenant): number {
    let taken = 0;
    for (const tenant of this.#tenants.values()) {
      if (tenant !== asking && tenant.holdsPlace) taken++;
    }
    return taken;
  }

  /** The pool of `default` stays open: who has it has the data folder. */
  #closable(): Tenant[] {
    if (this.#policy.type === 'shared') return [];
    return [...this.#tenants.values()].filter(
      (tenant) => tenant.isIdle && tenant.name !== defaultTenant,
    );
  }
}
