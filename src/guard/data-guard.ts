/** The rules of a server over a data folder: its keys, its tenants, and their pools. */

import { systemClock, type Clock } from '../base/clock.ts';
import { hasCode } from '../errors.ts';
import type { PoolStats } from '../pool/api.ts';
import {
  scopes,
  type Administration,
  type Caller,
  type ServedGuard,
  type TenantStatus,
} from './api.ts';
import { KeyCaller } from './caller.ts';
import { DataFolder, type Records } from './data-folder.ts';
import * as edits from './edits.ts';
import { Keyring, keyInfoOf, type KeyRecord } from './keyring.ts';
import { OpenPools, type TierChoices } from './open-pools.ts';
import { defaultTenant } from './quotas.ts';
import type { TenantRecords } from './records.ts';
import type { SharedUsage } from './shared-usage.ts';
import { Tenant } from './tenant.ts';

export interface GuardOptions {
  /** False: everyone is tenant `default`, and may do everything. */
  readonly withKeys: boolean;
  /** Keys beside those of the folder, which are stored nowhere. */
  readonly extraKeys?: readonly KeyRecord[];
  /** The bound on the memory of all pools. Default: as at the last start, else that of the pool of `default`, else `newCapacityBytes`. */
  readonly capacityBytes?: number | undefined;
  readonly newCapacityBytes: number;
  /** Told which of these it is, before pools are opened or made. */
  readonly onCapacity?: (capacityBytes: number) => void;
  /** Default mapped. `shared`: pools last as long as the process. */
  readonly poolType?: 'mapped' | 'shared';
  /** What the pool of a tenant has beside memory. Default: nothing. */
  readonly tiersOf?: (tenant: string) => TierChoices;
  /** This is one of several workers that serve the folder: another process has it, and keeps its records in order. */
  readonly worker?: SharedUsage | undefined;
  /** Default 64. */
  readonly openMax?: number;
  /** Default five minutes. */
  readonly idleMs?: number;
  readonly clock?: Clock;
  /** Told of errors of `maintain`, which are nobody's request. */
  readonly onError: (error: unknown) => void;
}

const openMaxDefault = 64;
const idleDefaultMs = 300_000;

/** Expired parts are removed in the background: so many entries of each open pool are looked at in one `maintain`. */
const sweepEntries = 10_000;

/** How often `maintain` should be called. */
export const maintainEveryMs = 1_000;

interface KnownCaller {
  readonly record: KeyRecord;
  readonly caller: KeyCaller;
}

/**
 * Opens a data folder for a server, and the pool of tenant `default` in it.
 * @throws pool_busy when another server has it, invalid_argument for damaged records, budget_exceeded when the tenants need more
 * than `capacityBytes`, and as openPool
 */
export async function openGuard(dataFolder: string, options: GuardOptions): Promise<DataGuard> {
  const folder = new DataFolder(dataFolder, options.clock ?? systemClock);
  const own = options.poolType === 'shared' ? undefined : folder.poolCapacity();
  const { tenants } = await folder.read();
  const totalBytes =
    options.capacityBytes ?? tenants.capacityBytes ?? own ?? options.newCapacityBytes;
  edits.shareOfDefault(tenants, totalBytes);
  options.onCapacity?.(totalBytes);
  const guard = new DataGuard(folder, totalBytes, options);
  await guard.start();
  return guard;
}

export class DataGuard implements ServedGuard {
  /** The bound on the memory of all pools. */
  readonly capacityBytes: number;
  readonly poolType: 'mapped' | 'shared';
  readonly administration: Administration;
  readonly #folder: DataFolder;
  readonly #options: GuardOptions;
  readonly #clock: Clock;
  readonly #tenants = new Map<string, Tenant>();
  /** Removed while operations ran: their pools are closed when those have ended. */
  readonly #departing = new Set<Tenant>();
  readonly #pools: OpenPools;
  #keyring = new Keyring([]);
  /** By hash of the key. */
  readonly #callers = new Map<string, KnownCaller>();
  #anonymous: Caller | undefined;
  #stamp = '';
  #reloads: Promise<void> = Promise.resolve();
  #following = false;

  constructor(folder: DataFolder, totalBytes: number, options: GuardOptions) {
    this.capacityBytes = totalBytes;
    this.#folder = folder;
    this.#options = options;
    this.#clock = folder.clock;
    this.poolType = options.poolType ?? 'mapped';
    this.#pools = new OpenPools(
      {
        type: this.poolType,
        openMax: options.openMax ?? openMaxDefault,
        idleMs: options.idleMs ?? idleDefaultMs,
        exclusive: options.worker === undefined,
        pathOf: (tenant) => folder.poolFolder(tenant),
        tiersOf: options.tiersOf ?? ((): TierChoices => ({})),
        totalBytes,
        takeChanges: async () => {
          if (folder.stamp() !== this.#stamp) await this.reload().catch(() => {}); // `maintain` tells
        },
      },
      this.#tenants,
    );
    this.administration = this.#administration();
  }

  /** For `openGuard`: takes the folder, and the records as they are. */
  async start(): Promise<void> {
    await this.reload();
    const tenant = this.#tenants.get(defaultTenant) as Tenant;
    if (!this.#options.withKeys) this.#anonymous = new KeyCaller(tenant, scopes);
    await tenant.open();
    if (this.#options.worker !== undefined) return;
    try {
      await this.#folder.removeLeftovers();
      await this.#folder.change(({ tenants }) => {
        const next = { ...tenants, capacityBytes: this.capacityBytes };
        return [tenants.capacityBytes === this.capacityBytes ? {} : { tenants: next }, undefined];
      });
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  get anonymous(): Caller | undefined {
    return this.#anonymous;
  }

  identify(key: string, tenantName?: string): Caller | undefined {
    const record = this.#options.withKeys ? this.#keyring.find(key) : undefined;
    if (record === undefined) return undefined;
    if (tenantName !== undefined && tenantName !== record.tenant) return undefined;
    const known = this.#callers.get(record.sha256);
    if (known !== undefined) return known.caller;
    const tenant = this.#tenants.get(record.tenant);
    if (tenant === undefined) return undefined;
    const caller = new KeyCaller(tenant, record.scopes);
    this.#callers.set(record.sha256, { record, caller });
    return caller;
  }

  tenants(): readonly TenantStatus[] {
    return [...this.#tenants.values()]
      .map((tenant) => tenant.status())
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  poolStats(tenant: string): PoolStats | undefined {
    return this.#tenants.get(tenant)?.poolStats();
  }

  /** Takes records that were changed. @throws invalid_argument, io_failed, pool_full: what was, stays */
  reload(): Promise<void> {
    // One after the other: records that were read first are taken first.
    const reloading = this.#reloads.then(() => this.#reloadNow());
    this.#reloads = reloading.catch(() => {});
    return reloading;
  }

  async #reloadNow(): Promise<void> {
    const stamp = this.#folder.stamp();
    const records = await this.#folder.read();
    this.#resize(records.tenants);
    this.#takeKeys(records);
    this.#stamp = stamp;
  }

  /**
   * To be called every `maintainEveryMs`: takes changes of the records, removes what has expired, closes what is idle. Never
   * throws; what goes wrong is told to `onError`.
   */
  maintain(): void {
    const nowMs = this.#clock.nowMs();
    for (const tenant of this.#tenants.values()) {
      tenant.look(nowMs);
      this.#trying(() => tenant.pool?.sweepExpired(sweepEntries));
    }
    for (const closing of this.#pools.closeIdle(nowMs)) closing.catch(this.#options.onError);
    for (const tenant of this.#departing) this.#part(tenant);
    if (!this.#following && this.#folder.stamp() !== this.#stamp) this.#follow();
  }

  /** Has all open pools give back what they can. @returns bytes @throws as `Pool.trim` */
  trim(): number {
    let bytes = 0;
    for (const tenant of this.#tenants.values()) bytes += tenant.pool?.trim() ?? 0;
    return bytes;
  }

  /** Closes all pools; callers may do nothing from now on. Nothing may run any more. */
  async close(): Promise<void> {
    await this.#reloads;
    const tenants = [...this.#tenants.values(), ...this.#departing];
    for (const tenant of tenants) tenant.isHere = false;
    await Promise.all(tenants.map((tenant) => tenant.close()));
  }

  /** Records that cannot be taken are told once: they are looked at again when they change again. */
  #follow(): void {
    const stamp = this.#folder.stamp();
    this.#following = true;
    void this.reload()
      .catch((error: unknown) => {
        this.#stamp = stamp;
        this.#options.onError(error);
      })
      .finally(() => {
        this.#following = false;
      });
  }

  #trying(work: () => void): void {
    try {
      work();
    } catch (error) {
      // A snapshot keeps everything as it is for as long as it takes.
      if (!hasCode(error, 'snapshot_in_progress')) this.#options.onError(error);
    }
  }

  /**
   * Gives every tenant its part of the capacity. What shrinks does so first, so that the sum never passes the whole; if one cannot,
   * those before it have their old part again.
   * @throws budget_exceeded, pool_full
   */
  #resize(records: TenantRecords): void {
    const shares = new Map(
      records.tenants.map(({ name, quotas }) => [name, quotas.capacityBytes ?? 0]),
    );
    shares.set(defaultTenant, edits.shareOfDefault(records, this.capacityBytes));
    const shrunk: (readonly [Tenant, number])[] = [];
    try {
      for (const [name, bytes] of shares) {
        const tenant = this.#tenants.get(name);
        if (tenant === undefined || bytes >= tenant.capacityBytes) continue;
        const before = tenant.capacityBytes;
        tenant.resize(bytes);
        shrunk.push([tenant, before]);
      }
    } catch (error) {
      for (const [tenant, before] of shrunk) tenant.resize(before);
      throw error;
    }
    this.#takeTenants(records, shares);
  }

  #takeTenants(records: TenantRecords, shares: ReadonlyMap<string, number>): void {
    const specs = new Map(records.tenants.map((spec) => [spec.name, spec]));
    for (const [name, tenant] of this.#tenants) {
      // One of the same name that was made later is another tenant.
      const spec = specs.get(name);
      const isSame = name === defaultTenant || spec?.createdAtMs === tenant.createdAtMs;
      if (!isSame) this.#remove(tenant);
    }
    for (const [name, capacityBytes] of shares) {
      const spec = specs.get(name) ?? { name, createdAtMs: 0, quotas: {} };
      const known = this.#tenants.get(name);
      if (known === undefined) {
        const shared = this.#options.worker?.tenant(name);
        const tenant = new Tenant(spec, capacityBytes, this.#pools, this.#clock, shared);
        this.#tenants.set(name, tenant);
      } else {
        known.resize(capacityBytes);
        known.usage.quotas = spec.quotas;
      }
    }
  }

  #remove(tenant: Tenant): void {
    tenant.isHere = false;
    this.#tenants.delete(tenant.name);
    for (const [hash, { record }] of this.#callers) {
      if (record.tenant === tenant.name) this.#callers.delete(hash);
    }
    this.#departing.add(tenant);
    this.#part(tenant);
  }

  #part(tenant: Tenant): void {
    if (tenant.usage.running > 0) return;
    this.#departing.delete(tenant);
    tenant.close().catch(this.#options.onError);
  }

  #takeKeys({ keys = [] }: Records): void {
    this.#keyring = new Keyring([...keys, ...(this.#options.extraKeys ?? [])]);
    const records = new Map(this.#keyring.records.map((record) => [record.sha256, record]));
    for (const [hash, { record, caller }] of this.#callers) {
      const now = records.get(hash);
      const isSame =
        now?.tenant === record.tenant && now.scopes.join(' ') === record.scopes.join(' ');
      if (isSame) continue;
      caller.revoke();
      this.#callers.delete(hash);
    }
  }

  #administration(): Administration {
    const folder = this.#folder;
    return {
      putTenant: async (name, quotas) => {
        let created = false;
        try {
          ({ created } = await edits.putTenant(folder, name, quotas, (next) => this.#resize(next)));
        } finally {
          // What was admitted and then not written is taken back by what is written.
          await this.reload();
        }
        return { created, tenant: (this.#tenants.get(name) as Tenant).status() };
      },
      deleteTenant: async (name) => {
        await edits.deleteTenant(folder, name);
        await this.reload();
        await folder.removePool(name);
      },
      keys: () => this.#keyring.records.map(keyInfoOf),
      createKey: async (options) => {
        const made = await edits.createKey(folder, options);
        await this.reload();
        return made;
      },
      deleteKey: async (id) => {
        await edits.deleteKey(folder, id);
        await this.reload();
      },
    };
  }
}
