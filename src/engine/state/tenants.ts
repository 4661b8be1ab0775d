/** Blocks of tenants that are no more: nobody can find them, and they take room until they are removed. */

import { createHmac } from 'node:crypto';
import { hasCode } from '../../errors.ts';
import type { Pool } from '../../pool/api.ts';
import { contextPrefix } from './keys.ts';
import { isUnavailable, rowsPart } from './restore.ts';

/** Blocks looked at in one go. */
const pageBlocks = 200;
/** Requests of a tenant that has gone end soon, and what they computed is written after that: it is looked for so many times more. */
const looksAfter = 30;

/** What all blocks of a tenant carry. Nobody tells from it whose they are. */
export function tenantTag(salt: string, tenant: string): string {
  const hash = createHmac('sha256', salt).update(`tenant\0${tenant}`).digest('hex');
  return `kv:${hash.slice(0, 32)}`;
}

/** Removes blocks of those that are not among the tenants of a server; the pool is for that server's engine alone. */
export class TenantBlocks {
  readonly #pool: Pool;
  readonly #salt: string;
  #known: ReadonlySet<string> | undefined;
  /** Those that have gone, and how often they are looked for yet. */
  readonly #leaving = new Map<string, number>();

  constructor(pool: Pool, salt: string) {
    this.#pool = pool;
    this.#salt = salt;
  }

  /**
   * To be called now and then with all that there are. The first time all blocks are looked at: tenants may have gone while no server ran.
   * @returns when that is done; it is in steps between which others have their turn
   */
  async follow(tenants: readonly string[]): Promise<void> {
    const before = this.#known;
    const now = new Set(tenants);
    this.#known = now;
    for (const tenant of before ?? []) if (!now.has(tenant)) this.#leaving.set(tenant, looksAfter);
    for (const [tenant, looks] of this.#leaving) {
      this.#try(() => this.#pool.invalidate({ tag: tenantTag(this.#salt, tenant) }));
      if (looks === 1 || now.has(tenant)) this.#leaving.delete(tenant);
      else this.#leaving.set(tenant, looks - 1);
    }
    if (before === undefined) await this.#removeOthers(now);
  }

  async #removeOthers(tenants: ReadonlySet<string>): Promise<void> {
    const tags = new Set(Array.from(tenants, (tenant) => tenantTag(this.#salt, tenant)));
    let cursor = 0;
    do {
      const page = this.#try(() => this.#pool.scan(cursor, pageBlocks));
      if (page === undefined) return;
      for (const id of page.ids) this.#try(() => this.#removeOther(id, tags));
      cursor = page.next;
      await new Promise((resolve) => setImmediate(resolve));
    } while (cursor !== 0);
  }

  #removeOther(id: string, tags: ReadonlySet<string>): void {
    if (!id.startsWith(contextPrefix)) return;
    const info = this.#pool.describe(id, rowsPart);
    if (info === undefined || info.tags.some((tag) => tags.has(tag))) return;
    this.#pool.delete(id, rowsPart, { ifVersion: info.version });
  }

  /** Undefined where the pool cannot now, or somebody was quicker: there is a next time. */
  #try<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      const isLater =
        isUnavailable(error) ||
        hasCode(error, 'version_conflict') ||
        hasCode(error, 'snapshot_in_progress');
      if (isLater) return undefined;
      throw error;
    }
  }
}
