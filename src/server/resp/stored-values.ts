/** Values that were received become parts. */

import { fail } from '../../errors.ts';
import type { Draft, PutOptions } from '../../pool/api.ts';
import type { Arguments } from './arguments.ts';
import type { Place } from './command.ts';
import { DraftSink } from './draft-sink.ts';
import { poolOf, type Session } from './session.ts';

export interface StoredValue extends Place {
  /** Of the argument. */
  readonly index: number;
  readonly ttlMs: number | undefined;
  /** Only in place of this version; 0: of none. */
  readonly ifVersion?: number;
}

const noOptions: PutOptions = {};

function optionsOf({ ttlMs, ifVersion }: StoredValue): PutOptions {
  if (ttlMs === undefined && ifVersion === undefined) return noOptions;
  return { ...(ttlMs !== undefined && { ttlMs }), ...(ifVersion !== undefined && { ifVersion }) };
}

/** Stores one value. @throws pool_full, invalid_argument, version_conflict: nothing has changed, and it can be stored again */
export function storeValue(session: Session, args: Arguments, value: StoredValue): void {
  const sink = args.sink(value.index);
  if (sink !== undefined) publishLarge(sink, value);
  else poolOf(session).put(value.id, value.part, args.bytes(value.index), optionsOf(value));
}

/**
 * Stores several, all or none: the bytes of all are in the pool before the first is published. Only what goes wrong at that moment, when the index has
 * no room for one more, leaves those before it stored.
 */
export function storeValues(
  session: Session,
  args: Arguments,
  values: readonly StoredValue[],
): void {
  if (values.length === 1) {
    storeValue(session, args, values[0] as StoredValue);
    return;
  }
  const pool = poolOf(session);
  const drafts: (Draft | undefined)[] = [];
  try {
    for (const value of values) {
      const { index, id, part } = value;
      if (args.sink(index) !== undefined) {
        drafts.push(undefined);
        continue;
      }
      const bytes = args.bytes(index);
      const draft = pool.beginPut(id, part, bytes.length, optionsOf(value));
      drafts.push(draft);
      draft.write(bytes);
    }
    for (const [i, value] of values.entries()) {
      const draft = drafts[i];
      if (draft === undefined) publishLarge(args.sink(value.index), value);
      else draft.commit();
    }
  } finally {
    for (const draft of drafts) draft?.abort();
  }
}

/** A large value is in the pool already. What becomes of it came behind it. */
function publishLarge(sink: unknown, { ttlMs, ifVersion }: StoredValue): void {
  if (!(sink instanceof DraftSink)) fail('invalid_argument', 'such a value is not taken here');
  sink.commit(ttlMs, ifVersion);
}
