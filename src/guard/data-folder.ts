/** The records of a data folder: keys and tenants, read by servers and changed by servers and commands alike. */

import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { systemClock, type Clock } from '../base/clock.ts';
import { makeFolder } from '../base/folders.ts';
import { nodeFiles } from '../memory/files.ts';
import { holdsPool, readPoolFile } from '../memory/pool-files.ts';
import { doing, locked, readIfThere, replaceFile } from './durable-file.ts';
import type { KeyRecord } from './keyring.ts';
import { dataLayout, type DataLayout } from './layout.ts';
import {
  keysText,
  noTenants,
  parseKeys,
  parseTenants,
  tenantsText,
  type TenantRecords,
} from './records.ts';

export interface Records {
  /** Undefined: there is no key file. */
  readonly keys: readonly KeyRecord[] | undefined;
  readonly tenants: TenantRecords;
}

/** What is to be written; a file that is not named stays. */
export interface Changes {
  readonly keys?: readonly KeyRecord[];
  readonly tenants?: TenantRecords;
}

/** In front of the name of a tenant's folder that is being removed: nobody takes it for a pool. */
const removedPrefix = '.removed-';

export class DataFolder {
  readonly layout: DataLayout;
  readonly clock: Clock;

  constructor(path: string, clock: Clock = systemClock) {
    this.layout = dataLayout(path);
    this.clock = clock;
  }

  /** @throws invalid_argument for a damaged file, io_failed */
  async read(): Promise<Records> {
    const { keysFile, tenantsFile } = this.layout;
    const keys = await readIfThere(keysFile);
    const tenants = await readIfThere(tenantsFile);
    return {
      keys: keys === undefined ? undefined : parseKeys(keysFile, keys),
      tenants: tenants === undefined ? noTenants : parseTenants(tenantsFile, tenants),
    };
  }

  /**
   * Changes records alone among all processes; `change` is given what there is, and returns what is to be written and to
   * answer. What it throws changes nothing. Makes the folder when there is none.
   * @throws as `read`
   */
  async change<T>(change: (records: Records) => readonly [Changes, T]): Promise<T> {
    const { folder, keysFile, tenantsFile, lockFile } = this.layout;
    await doing(`make the data folder ${folder}`, async () => makeFolder(folder, 0o700));
    return locked(lockFile, this.clock, async () => {
      const [changes, answer] = change(await this.read());
      // Keys first: a tenant that goes has none any more, one that comes none yet.
      if (changes.keys !== undefined) await replaceFile(keysFile, keysText(changes.keys));
      if (changes.tenants !== undefined) {
        await replaceFile(tenantsFile, tenantsText(changes.tenants));
      }
      return answer;
    });
  }

  /** Differs from what it was when a file was replaced meanwhile. */
  stamp(): string {
    const { keysFile, tenantsFile } = this.layout;
    return [keysFile, tenantsFile].map(stampOf).join(' ');
  }

  /** The capacity of the pool of `default`; undefined when there is none. @throws not_a_pool, pool_corrupt */
  poolCapacity(): number | undefined {
    const path = this.layout.poolFolder;
    return holdsPool(nodeFiles, path) ? readPoolFile(nodeFiles, path).capacityBytes : undefined;
  }

  poolFolder(tenant: string): string {
    return join(this.layout.tenantsFolder, tenant);
  }

  /** Removes what a tenant has kept. Its folder gets another name first, and so is gone at once. @throws io_failed */
  async removePool(tenant: string): Promise<void> {
    const { tenantsFolder } = this.layout;
    const folder = this.poolFolder(tenant);
    const aside = join(
      tenantsFolder,
      `${removedPrefix}${tenant}-${randomBytes(6).toString('hex')}`,
    );
    await doing(`remove ${folder}`, async () => {
      await mkdir(tenantsFolder, { recursive: true, mode: 0o700 });
      const gone = await rename(folder, aside).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
          return false;
        },
      );
      if (gone) await rm(aside, { recursive: true, force: true });
    });
  }

  /** Completes removals that were cut short. @throws io_failed */
  async removeLeftovers(): Promise<void> {
    const { tenantsFolder } = this.layout;
    await doing(`clean ${tenantsFolder}`, async () => {
      const names = await readdir(tenantsFolder).catch(() => []);
      for (const name of names) {
        if (!name.startsWith(removedPrefix)) continue;
        await rm(join(tenantsFolder, name), { recursive: true, force: true });
      }
    });
  }
}

function stampOf(path: string): string {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? '-' : `${stats.ino}:${stats.mtimeNs}:${stats.size}`;
}
