/** What keys.json and tenants.json say. */

import { fail } from '../errors.ts';
import { scopes } from './api.ts';
import type { KeyRecord } from './keyring.ts';
import { checkQuotas, checkScopes, checkTenantName, defaultTenant } from './quotas.ts';
import type { TenantSpec } from './tenant.ts';

/** Most that a server knows. */
export const keysMax = 10_000;
export const tenantsMax = 1_000;

const keysVersion = 2;
const tenantsVersion = 1;

/** Version 1 knew no scopes: its keys could do everything that there was, and still can. */
const keysVersionWithoutScopes = 1;

export interface TenantRecords {
  /** The bound on the memory of all pools, as the last start had it; undefined before the first. */
  readonly capacityBytes: number | undefined;
  /** Without `default`, unless it has quotas. */
  readonly tenants: readonly TenantSpec[];
}

export const noTenants: TenantRecords = { capacityBytes: undefined, tenants: [] };

export function keysText(keys: readonly KeyRecord[]): string {
  return json({ version: keysVersion, keys });
}

export function tenantsText({ capacityBytes, tenants }: TenantRecords): string {
  return json({ version: tenantsVersion, capacityBytes, tenants });
}

/** @throws invalid_argument, naming the file */
export function parseKeys(path: string, text: string): readonly KeyRecord[] {
  const content = parse(text);
  const version = content?.['version'];
  const known = version === keysVersion || version === keysVersionWithoutScopes;
  const keys: unknown = content?.['keys'];
  if (!known || !Array.isArray(keys) || keys.length > keysMax) {
    fail('invalid_argument', `${path} is not a key file of version 1 or ${keysVersion}.`);
  }
  return checking(path, 'key', () =>
    keys.map((key: unknown) => parseKey(key, version === keysVersionWithoutScopes)),
  );
}

function parseKey(value: unknown, hasNoScopes: boolean): KeyRecord {
  const { tenant, sha256, scopes: allowed, label, createdAtMs } = objectOf(value);
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) fault('no SHA-256 hash');
  if (!hasNoScopes && !Array.isArray(allowed)) fault('no scopes');
  if (label !== undefined && typeof label !== 'string') fault('a label that is no text');
  return {
    tenant: checkTenantName(typeof tenant === 'string' ? tenant : fault('no tenant')),
    sha256,
    scopes: hasNoScopes ? scopes : checkScopes(allowed as readonly unknown[]),
    ...(label !== undefined && { label }),
    createdAtMs: timeOf(createdAtMs),
  };
}

/** @throws invalid_argument, naming the file */
export function parseTenants(path: string, text: string): TenantRecords {
  const content = parse(text);
  const { version, capacityBytes, tenants } = content ?? {};
  if (version !== tenantsVersion || !Array.isArray(tenants) || tenants.length > tenantsMax) {
    fail('invalid_argument', `${path} is not a tenants file of version ${tenantsVersion}.`);
  }
  return checking(path, 'tenant', () => {
    const parsed = tenants.map(parseTenant);
    if (new Set(parsed.map(({ name }) => name)).size < parsed.length) fault('a name twice');
    const given = capacityBytes !== undefined;
    if (given && !Number.isSafeInteger(capacityBytes)) fault('no whole capacity');
    return { capacityBytes: given ? (capacityBytes as number) : undefined, tenants: parsed };
  });
}

function parseTenant(value: unknown): TenantSpec {
  const { name, createdAtMs, quotas } = objectOf(value);
  const tenant = checkTenantName(typeof name === 'string' ? name : fault('no name'));
  return {
    name: tenant,
    createdAtMs: timeOf(createdAtMs),
    quotas: checkShare(tenant, checkQuotas(objectOf(quotas))),
  };
}

/** Every tenant has a capacity of its own but `default`, which has what they leave. @throws invalid_argument */
export function checkShare(name: string, quotas: TenantSpec['quotas']): TenantSpec['quotas'] {
  const isDefault = name === defaultTenant;
  if (isDefault === (quotas.capacityBytes === undefined)) return quotas;
  return fail(
    'invalid_argument',
    isDefault
      ? `Tenant ${defaultTenant} takes no capacityBytes: it has what the others leave.`
      : `Tenant ${name} needs capacityBytes: its part of the capacity of the server.`,
  );
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  return fault('something that is no object');
}

function timeOf(value: unknown): number {
  return typeof value === 'number' ? value : fault('no time');
}

/** Names the file of what is wrong in it. */
function checking<T>(path: string, what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail(
      'invalid_argument',
      `${path} has a damaged ${what} (${reason}): restore the file, or remove it to begin anew.`,
      error,
    );
  }
}

function fault(what: string): never {
  fail('invalid_argument', `it has ${what}`);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
