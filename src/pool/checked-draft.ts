/** A draft as users have it: its pool is asked first, and what they give is checked. */

import { show } from '../base/show.ts';
import { fail } from '../errors.ts';
import type { PartDraft } from '../store/draft.ts';
import type { Draft } from './api.ts';
import { versionAsked } from './options.ts';

interface DraftRules {
  /** @throws when the pool cannot be changed now */
  beforeChange(): void;
  /** @throws invalid_argument */
  expiryAt(ttlMs: number): number;
  /** @throws when the pool cannot be called now */
  beforeAbort(): void;
  committed(version: number): void;
}

export function checkedDraft(draft: PartDraft, rules: DraftRules): Draft {
  return {
    get sizeBytes(): number {
      return draft.sizeBytes;
    },
    write: (chunk) => {
      rules.beforeChange();
      if (!(chunk instanceof Uint8Array && ArrayBuffer.isView(chunk))) {
        fail('invalid_argument', `A draft takes Uint8Arrays; got ${show(chunk)}.`);
      }
      draft.write(chunk);
    },
    room: (limitBytes) => {
      rules.beforeChange();
      if (!(Number.isSafeInteger(limitBytes) && limitBytes >= 0)) {
        fail('invalid_argument', `A limit is a whole number from 0; got ${show(limitBytes)}.`);
      }
      return draft.room(limitBytes);
    },
    wrote: (sizeBytes) => {
      rules.beforeChange();
      draft.wrote(sizeBytes);
    },
    commit: (ttlMs, ifVersion) => {
      rules.beforeChange();
      const expiresAtMs = ttlMs === undefined ? undefined : rules.expiryAt(ttlMs);
      const version = draft.commit(expiresAtMs, versionAsked(ifVersion));
      rules.committed(version);
      return version;
    },
    abort: () => {
      rules.beforeAbort();
      draft.abort();
    },
  };
}
