/** Names, quotas and scopes as people give them. */

import { show } from '../base/show.ts';
import { fail } from '../errors.ts';
import { maxCapacityBytes, minCapacityBytes } from '../memory/geometry.ts';
import { scopes, type Quotas, type Scope } from './api.ts';

export const defaultTenant = 'default';

/** A tenant's name is a folder's name, on any file system, and a label of metrics. */
const tenantName = /^[a-z0-9][a-z0-9_-]{0,62}$/;

interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** Every quota with its bounds. Zero shuts a tenant out from what it bounds. */
export const quotaBounds: Readonly<Record<keyof Quotas, Bounds>> = {
  capacityBytes: { min: minCapacityBytes, max: maxCapacityBytes },
  storedBytes: { min: 0, max: maxCapacityBytes },
  contexts: { min: 0, max: 2 ** 31 - 1 },
  inFlightBytes: { min: 0, max: 2 ** 40 },
  opsPerSecond: { min: 0, max: 1_000_000_000 },
};

export const quotaNames: readonly (keyof Quotas)[] = Object.keys(quotaBounds) as (keyof Quotas)[];

/** @throws invalid_argument */
export function checkTenantName(name: string): string {
  if (tenantName.test(name)) return name;
  return fail(
    'invalid_argument',
    `A tenant's name is 1 to 63 of a-z, 0-9, _ and -, and starts with a letter or digit; got ${show(name)}.`,
  );
}

/** Quotas without what is not given. @throws invalid_argument for what is unknown or out of bounds */
export function checkQuotas(given: object): Quotas {
  const quotas: Partial<Record<keyof Quotas, number>> = {};
  for (const [name, value] of Object.entries(given) as [string, unknown][]) {
    if (value === undefined) continue;
    if (!Object.hasOwn(quotaBounds, name)) {
      fail('invalid_argument', `Unknown quota ${show(name)}; known: ${quotaNames.join(', ')}.`);
    }
    const { min, max } = quotaBounds[name as keyof Quotas];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      fail(
        'invalid_argument',
        `${name} must be a whole number from ${min} to ${max}; got ${show(value)}.`,
      );
    }
    quotas[name as keyof Quotas] = value;
  }
  return quotas;
}

/** In the order of `scopes`, each once. @throws invalid_argument */
export function checkScopes(given: readonly unknown[]): readonly Scope[] {
  for (const scope of given) {
    if (scopes.some((known) => known === scope)) continue;
    fail('invalid_argument', `Unknown scope ${show(scope)}; known: ${scopes.join(', ')}.`);
  }
  if (given.length === 0) fail('invalid_argument', 'A key needs a scope.');
  return scopes.filter((scope) => given.includes(scope));
}
