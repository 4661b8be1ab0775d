/** What is told of a context. */

import { partsOf } from '../store/contexts.ts';
import { recordsOf } from '../store/stable.ts';
import type { Store } from '../store/store.ts';
import type { ContextInfo } from './api.ts';

/**
 * The first `limit` parts behind `after` in the order of their names. Of a limit of 0 they are only counted.
 * @returns undefined where there is no part
 */
export function contextInfo(
  store: Store,
  id: string,
  limit: number,
  after?: string,
): ContextInfo | undefined {
  if (limit === 0) {
    const partCount = store.follower.settled(() => partsOf(store, id)).length;
    return partCount === 0 ? undefined : { id, parts: [], partCount };
  }
  const parts = recordsOf(store, id);
  if (parts.length === 0) return undefined;
  const told = after === undefined ? parts : parts.filter(({ part }) => part > after);
  told.sort((a, b) => (a.part < b.part ? -1 : 1));
  return { id, parts: told.slice(0, limit), partCount: parts.length };
}
