/** How a part comes back from the disk: into memory where there is room, otherwise as a copy of its own. */

import { kinds, type KindName } from '../alloc/kind.ts';
import { fail, hasCode } from '../errors.ts';
import type { Ref } from '../memory/region.ts';
import { partOf, type PartRecord } from '../store/contexts.ts';
import { CopiedLease } from '../store/copy.ts';
import { PartDraft } from '../store/draft.ts';
import { elementTypes, type ElementType } from '../store/element.ts';
import { segmentOf, versionOf, wordOf } from '../store/entry.ts';
import type { LeaseView } from '../store/lease.ts';
import { withPen } from '../store/pen.ts';
import type { PartSpec } from '../store/publish.ts';
import type { Store } from '../store/store.ts';
import { encodeTag } from '../store/tags.ts';
import type { DiskTier } from './disk-tier.ts';
import { notePersisted, throwIfAborted } from './persisted.ts';
import { partKey } from './disk-key.ts';
import type { ReadTransaction } from './lmdb.ts';
import { decodeRecord, type DiskRecord } from './record.ts';
import { unstow } from './stow.ts';
import { versionAt as earlierVersion } from './version-rows.ts';

/** How often a part is looked for again when it changes while it is read. */
const attemptsMax = 100;

/**
 * A lease on a part, wherever it is; undefined when it is nowhere. Aborting ends the wait, and leaves memory as it was.
 * @throws part_corrupt, key_unavailable, io_failed, aborted, pool_closed
 */
export async function load(
  tier: DiskTier,
  id: string,
  part: string,
  signal: AbortSignal | undefined,
): Promise<LeaseView | CopiedLease | undefined> {
  const key = partKey(id, part);
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    throwIfAborted(signal);
    tier.underWay.check();
    const hot = tier.store.get(id, part);
    if (hot !== undefined) return hot;
    const record = find(tier, key);
    if (record === undefined) return undefined;
    const came = await bringBack(tier, { id, part, key, record }, signal);
    if (came !== 'full') continue;
    const copy = await copyOf(tier, key, record, signal);
    if (copy !== undefined) return copy;
  }
  return changing(part);
}

/** A copy of a version that is kept; undefined: it is not. @throws part_corrupt, key_unavailable, aborted */
export async function loadVersion(
  tier: DiskTier,
  key: Uint8Array,
  version: number,
  signal: AbortSignal | undefined,
): Promise<CopiedLease | undefined> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    throwIfAborted(signal);
    const record = tier.keptVersions(key).find((kept) => kept.version === version);
    if (record === undefined) return undefined;
    const copy = await copyOf(tier, key, record, signal);
    if (copy !== undefined) return copy;
  }
  return changing(String(version));
}

function find(tier: DiskTier, key: Uint8Array): DiskRecord | undefined {
  try {
    return tier.find(key);
  } catch (error) {
    if (hasCode(error, 'part_corrupt')) tier.counts.corrupt++;
    throw error;
  }
}

/** A record and where it was found. */
export interface FoundRecord {
  readonly id: string;
  readonly part: string;
  readonly key: Uint8Array;
  readonly record: DiskRecord;
  /** The moment that it is of; without one it is read as it is now. */
  readonly transaction?: ReadTransaction;
}

/** Puts the part that a record describes into memory. @returns whether it is there now, or why not */
export async function bringBack(
  tier: DiskTier,
  found: FoundRecord,
  signal: AbortSignal | undefined,
): Promise<'there' | 'changed' | 'full'> {
  const { id, part, record } = found;
  const { store, step } = tier;
  step('load:begin');
  const draft = draftFor(tier, found);
  if (draft === undefined) return 'full';
  try {
    const whole = await read(tier, found, signal, (bytes) => draft.write(bytes));
    step('load:read');
    tier.underWay.check();
    if (!whole) {
      draft.abort();
      return 'changed';
    }
    draft.commit();
  } catch (error) {
    draft.abort();
    if (hasCode(error, 'version_conflict')) return 'changed';
    if (isShortage(error)) return 'full';
    throw error;
  }
  withPen(store, () => {
    const ref = partOf(store, id, part);
    if (ref !== 0 && versionAt(store, ref) === record.version) notePersisted(store, ref);
  });
  tier.counts.promoted++;
  step('load:promoted');
  return 'there';
}

function versionAt(store: Store, ref: Ref): number {
  return ref === 0 ? 0 : versionOf(segmentOf(store.region, ref).words, wordOf(store.region, ref));
}

function draftFor(tier: DiskTier, { id, part, key, record }: FoundRecord): PartDraft | undefined {
  try {
    return new PartDraft(tier.store, id, part, specOf(tier, key, record), record.sizeBytes);
  } catch (error) {
    if (isShortage(error)) return undefined;
    throw error;
  }
}

function isShortage(error: unknown): boolean {
  return (
    hasCode(error, 'pool_full') ||
    hasCode(error, 'budget_exceeded') ||
    hasCode(error, 'value_too_large')
  );
}

function specOf(tier: DiskTier, key: Uint8Array, record: DiskRecord): PartSpec {
  const { store } = tier;
  const { version } = record;
  return {
    kind: record.kind,
    element: record.element,
    pinned: record.pinned,
    sensitive: record.sensitive,
    expiresAtMs: record.expiresAtMs,
    tags: record.tags.map((text) => encodeTag(store, text)),
    ifVersion: undefined,
    checkedEpoch: undefined,
    returning: {
      version,
      // Nothing newer came to memory meanwhile, and the record still counts.
      mayCome: (old) => versionAt(store, old) < version && tier.versionOf(key) === version,
    },
  };
}

async function copyOf(
  tier: DiskTier,
  key: Uint8Array,
  record: DiskRecord,
  signal: AbortSignal | undefined,
): Promise<CopiedLease | undefined> {
  // Views of elements need their alignment, which a buffer of its own has.
  const bytes = new Uint8Array(new ArrayBuffer(record.sizeBytes));
  let at = 0;
  const whole = await read(tier, { key, record }, signal, (piece) => {
    bytes.set(piece, at);
    at += piece.length;
  });
  if (!whole) return undefined;
  const told: Pick<PartRecord, 'version' | 'kind' | 'elementType'> = {
    version: record.version,
    kind: kinds[record.kind] as KindName,
    elementType: elementTypes[record.element] as ElementType,
  };
  return new CopiedLease(told, bytes);
}

/** @returns false when the record was replaced or removed before it could be read */
async function read(
  tier: DiskTier,
  { key, record, transaction: given }: Pick<FoundRecord, 'key' | 'record' | 'transaction'>,
  signal: AbortSignal | undefined,
  take: (bytes: Uint8Array) => void,
): Promise<boolean> {
  const transaction = given ?? tier.disk.snapshot();
  try {
    const now = given === undefined ? rowOf(tier, key, record, transaction) : record;
    if (now?.version !== record.version || Buffer.compare(now.stowId, record.stowId) !== 0) {
      return false;
    }
    await unstow(tier.disk, tier.sealing, key, record, transaction, (bytes) => {
      throwIfAborted(signal);
      take(bytes);
    });
    tier.counts.bytesRead += record.sizeBytes;
    return true;
  } catch (error) {
    if (hasCode(error, 'part_corrupt')) tier.counts.corrupt++;
    throw error;
  } finally {
    if (given === undefined) transaction.done();
  }
}

/** The record as it is in a transaction: in its place, or among earlier versions. */
function rowOf(
  { disk }: DiskTier,
  key: Uint8Array,
  { version }: DiskRecord,
  transaction: ReadTransaction,
): DiskRecord | undefined {
  const value = disk.parts.get(key, { transaction });
  const current = value === undefined ? undefined : decodeRecord(key, value);
  return current?.version === version ? current : earlierVersion(disk, key, version, transaction);
}

function changing(part: string): never {
  return fail('pool_busy', `Part ${JSON.stringify(part)} changed at each of ${attemptsMax} looks.`);
}
