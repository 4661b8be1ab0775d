/** What a PATH on the command line names: a pool's folder, or a server's data folder with a pool per tenant. */

import { existsSync, readdirSync, statSync, type Dirent } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../errors.ts';

/** Under a server's data folder: one pool per tenant, the folder named by the tenant. */
export const tenantsFolder = 'tenants';

export interface PoolTarget {
  readonly path: string;
  /** Absent for a pool's own folder. */
  readonly tenant?: string;
}

/**
 * The pools that `path` names, sorted by tenant.
 * @throws not_a_pool when there is nothing, or no pool in it; io_failed
 */
export function findPools(path: string): PoolTarget[] {
  if (!existsSync(path)) fail('not_a_pool', `there is nothing at ${path}`);
  if (!statSync(path).isDirectory()) fail('not_a_pool', `${path} is a file: a pool is a folder`);
  const tenants = join(path, tenantsFolder);
  if (!existsSync(tenants)) return [{ path }];
  if (!statSync(tenants).isDirectory()) fail('not_a_pool', `${tenants} is a file, not a folder`);
  // What starts with a dot is a copy that was interrupted.
  const names = entriesOf(tenants)
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .sort();
  if (names.length === 0) fail('not_a_pool', `the data folder ${path} holds no pool yet`);
  return names.map((tenant) => ({ path: join(tenants, tenant), tenant }));
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    return fail('io_failed', `cannot read ${folder}`, error);
  }
}

/**
 * The only pool that `path` names.
 * @throws not_a_pool; invalid_argument when there are several
 */
export function findOnePool(path: string): PoolTarget {
  const pools = findPools(path);
  if (pools.length > 1) {
    const shown = pools.slice(0, 8).map((pool) => pool.path);
    const more = pools.length > shown.length ? ', …' : '';
    fail(
      'invalid_argument',
      `${path} holds ${pools.length} pools, name one: ${shown.join(', ')}${more}`,
    );
  }
  return pools[0] as PoolTarget;
}
