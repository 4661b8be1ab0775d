/** Changes of keys and tenants as both the server and the command line make them. */

import { existsSync } from 'node:fs';

import { fail } from '../errors.ts';
import { minCapacityBytes } from '../memory/geometry.ts';
import type { NewKey, NewKeyOptions, Quotas } from './api.ts';
import type { DataFolder } from './data-folder.ts';
import { freshKey, keyIdOf, keyInfoOf, keyRecord, type KeyRecord } from './keyring.ts';
import { checkQuotas, checkScopes, checkTenantName, defaultTenant } from './quotas.ts';
import { checkShare, keysMax, tenantsMax, type TenantRecords } from './records.ts';
import type { TenantSpec } from './tenant.ts';

/** Adds a key. @throws not_found without such a tenant, invalid_argument, io_failed */
export function createKey(
  folder: DataFolder,
  options: NewKeyOptions,
  random?: (sizeBytes: number) => Buffer,
): Promise<NewKey> {
  const tenant = checkTenantName(options.tenant);
  const key = freshKey(random);
  const record = keyRecord(key, folder.clock.nowMs(), {
    ...options,
    scopes: checkScopes(options.scopes),
  });
  return folder.change(({ keys = [], tenants }) => {
    if (!isKnown(tenants, tenant)) noTenant(tenant);
    if (keys.length >= keysMax) {
      fail('budget_exceeded', `There are ${keysMax} keys: delete some first.`);
    }
    return [{ keys: [...keys, record] }, { ...keyInfoOf(record), key }];
  });
}

/** @throws not_found, io_failed */
export function deleteKey(folder: DataFolder, id: string): Promise<KeyRecord> {
  return folder.change(({ keys = [] }) => {
    const gone = keys.find((key) => keyIdOf(key) === id);
    if (gone === undefined) return fail('not_found', `There is no key ${JSON.stringify(id)}.`);
    return [{ keys: keys.filter((key) => key !== gone) }, gone];
  });
}

/**
 * Makes a tenant, or replaces the quotas of one.
 * @param admit is shown what will be written, and may throw
 * @throws invalid_argument, budget_exceeded where the capacity of the server does not suffice, io_failed
 */
export function putTenant(
  folder: DataFolder,
  name: string,
  given: Quotas,
  admit: (next: TenantRecords) => void = () => {},
): Promise<{ readonly created: boolean; readonly tenant: TenantSpec }> {
  checkTenantName(name);
  const quotas = checkShare(name, checkQuotas(given));
  return folder.change(({ tenants: records }) => {
    const known = records.tenants.find((tenant) => tenant.name === name);
    const created = known === undefined && name !== defaultTenant;
    if (created && records.tenants.length >= tenantsMax) {
      fail('budget_exceeded', `There are ${tenantsMax} tenants: delete some first.`);
    }
    if (created && existsSync(folder.poolFolder(name))) {
      fail(
        'invalid_argument',
        `${folder.poolFolder(name)} is there already, of nobody: move it away first.`,
      );
    }
    const createdAtMs = known?.createdAtMs ?? folder.clock.nowMs();
    const tenant: TenantSpec = { name, createdAtMs, quotas };
    const others = records.tenants.filter((other) => other.name !== name);
    const next = { ...records, tenants: [...others, tenant].sort(byName) };
    if (next.capacityBytes !== undefined) shareOfDefault(next, next.capacityBytes);
    admit(next);
    return [{ tenants: next }, { created, tenant }];
  });
}

/** Removes a tenant and its keys; what it kept is not touched. @throws not_found, invalid_argument, io_failed */
export function deleteTenant(folder: DataFolder, name: string): Promise<void> {
  if (name === defaultTenant) {
    fail('invalid_argument', `Tenant ${defaultTenant} is always there.`);
  }
  return folder.change(({ keys, tenants: records }) => {
    if (!isKnown(records, name)) noTenant(name);
    const tenants = records.tenants.filter((tenant) => tenant.name !== name);
    const left = keys?.filter((key) => key.tenant !== name);
    return [
      { ...(left !== undefined && { keys: left }), tenants: { ...records, tenants } },
      undefined,
    ];
  });
}

/** What of the capacity of a server the tenants leave to `default`. @throws budget_exceeded when that is too little */
export function shareOfDefault({ tenants }: TenantRecords, totalBytes: number): number {
  const taken = tenants.reduce((sum, { quotas }) => sum + (quotas.capacityBytes ?? 0), 0);
  const rest = totalBytes - taken;
  if (rest >= minCapacityBytes) return rest;
  return fail(
    'budget_exceeded',
    `Tenants have ${taken} of the server's ${totalBytes} bytes of capacity, and ${defaultTenant} needs ${minCapacityBytes}.`,
  );
}

function isKnown({ tenants }: TenantRecords, name: string): boolean {
  return name === defaultTenant || tenants.some((tenant) => tenant.name === name);
}

function noTenant(name: string): never {
  fail('not_found', `There is no tenant ${JSON.stringify(name)}.`);
}

function byName(a: TenantSpec, b: TenantSpec): number {
  return a.name < b.name ? -1 : 1;
}
