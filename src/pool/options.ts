/** Checks what users give, and turns it into what the store takes. */

import { kinds } from '../alloc/kind.ts';
import { show } from '../base/show.ts';
import { fail } from '../errors.ts';
import { policyNames } from '../evict/policies.ts';
import { defaultKind, elementCode, elementCodeOf } from '../store/element.ts';
import { stopReasons } from '../store/hints.ts';
import type { PartSpec } from '../store/publish.ts';
import { hashEnd } from '../store/ref-table.ts';
import type { Store } from '../store/store.ts';
import { dependencyPrefix, encodeTag, type Tag, tagsMax } from '../store/tags.ts';
import type {
  AppendOptions,
  Hint,
  ListOptions,
  OpenOptions,
  PartData,
  PartsOptions,
  PutOptions,
} from './api.ts';

const ttlMaxMs: number = 2 ** 47;
const lockWaitMaxMs = 3_600_000;
const listDefault = 1000;
const scanDefault = 100;
/** Parts told of each context in a list. */
const listedPartsDefault = 100;
const listMax = 10_000;
const versionsMax = 1000;
const noTags: readonly Tag[] = [];

/** How a part is to be written. @throws invalid_argument */
export function specFor(store: Store, data: PartData | undefined, options: PutOptions): PartSpec {
  checkOptions(options);
  const own = data === undefined ? elementCode('u8') : elementCodeOf(data);
  const element = options.elementType === undefined ? own : elementCode(options.elementType);
  if (data !== undefined && element !== own && !(data instanceof Uint8Array)) {
    fail(
      'invalid_argument',
      `elementType ${show(options.elementType)} goes with a Uint8Array only.`,
    );
  }
  if (options.sealed === true) {
    fail('invalid_argument', 'sealed parts need a key provider, and none is configured.');
  }
  return {
    kind: options.kind === undefined ? defaultKind(element) : kindNamed(options.kind),
    element,
    pinned: options.pinned === true,
    sensitive: options.sensitive === true,
    expiresAtMs: options.ttlMs === undefined ? 0 : expiryAt(store, options.ttlMs),
    tags: tagsFor(store, options),
    ifVersion: versionAsked(options.ifVersion),
    checkedEpoch: undefined,
    returning: undefined,
  };
}

/** How an append creates a part that is absent. */
export function appendSpecFor(store: Store, data: PartData, options: AppendOptions): PartSpec {
  return specFor(store, data, options);
}

function kindNamed(name: string): number {
  const kind = kinds.indexOf(name as (typeof kinds)[number]);
  if (kind < 0) fail('invalid_argument', `Unknown kind ${show(name)}; one of ${kinds.join(', ')}.`);
  return kind;
}

/** @throws invalid_argument unless 1 ≤ ttlMs ≤ 2^47 */
export function expiryAt(store: Store, ttlMs: number): number {
  if (!(Number.isFinite(ttlMs) && ttlMs >= 1 && ttlMs <= ttlMaxMs)) {
    fail('invalid_argument', `ttlMs must be 1 to ${ttlMaxMs}; got ${show(ttlMs)}.`);
  }
  return store.options.clock.nowMs() + Math.floor(ttlMs);
}

export function versionAsked(version: number | undefined): number | undefined {
  if (version === undefined || (Number.isSafeInteger(version) && version >= 0)) return version;
  return fail('invalid_argument', `ifVersion must be a whole number from 0; got ${show(version)}.`);
}

function tagsFor(store: Store, options: PutOptions): readonly Tag[] {
  const { tags, dependsOn } = options;
  if (tags === undefined && dependsOn === undefined) return noTags;
  const texts = new Set<string>(namesGiven(tags, 'tags'));
  for (const id of namesGiven(dependsOn, 'dependsOn')) texts.add(`${dependencyPrefix}${id}`);
  if (texts.size > tagsMax)
    fail('invalid_argument', `${texts.size} tags; a part takes ${tagsMax}.`);
  return Array.from(texts, (text) => encodeTag(store, text));
}

/** @throws invalid_argument unless it is an array of texts, no longer than a part has tags */
function namesGiven(names: readonly string[] | undefined, what: string): readonly string[] {
  if (names === undefined) return [];
  if (!Array.isArray(names))
    fail('invalid_argument', `${what} must be an array; got ${show(names)}.`);
  if (names.length > tagsMax)
    fail('invalid_argument', `${names.length} ${what}; a part takes ${tagsMax}.`);
  for (const name of names as readonly unknown[]) {
    if (typeof name === 'string' && name !== '') continue;
    fail('invalid_argument', `${what} must hold texts; got ${show(name)}.`);
  }
  return names as readonly string[];
}

/** @throws invalid_argument */
export function checkOptions(options: object): void {
  if (typeof options === 'object' && options !== null) return;
  fail('invalid_argument', `Options must be an object; got ${show(options)}.`);
}

/** @throws invalid_argument */
export function wholeFrom(least: number, value: number, name: string): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  return fail(
    'invalid_argument',
    `${name} must be a whole number from ${least}; got ${show(value)}.`,
  );
}

/** @throws invalid_argument */
export function checkHint(hint: Hint): void {
  checkOptions(hint);
  const stop: string | undefined = hint.stop;
  if (stop === undefined || stopReasons.some((reason) => reason === stop)) return;
  fail('invalid_argument', `stop must be one of ${stopReasons.join(', ')}; got ${show(stop)}.`);
}

export interface ListLimits {
  readonly limit: number;
  readonly partsLimit: number;
  readonly prefix: Uint8Array;
  readonly after: Uint8Array | undefined;
}

/** @throws invalid_argument */
export function listLimits(options: ListOptions): ListLimits {
  checkOptions(options);
  const { limit = listDefault, partsLimit = listedPartsDefault, prefix = '', after } = options;
  return {
    limit: limitGiven(limit, 'limit'),
    partsLimit: limitGiven(partsLimit, 'partsLimit'),
    prefix: Buffer.from(textGiven(prefix, 'prefix')),
    after: after === undefined ? undefined : Buffer.from(textGiven(after, 'after')),
  };
}

/** @throws invalid_argument */
export function partsLimits(options: PartsOptions): { limit: number; after: string | undefined } {
  checkOptions(options);
  const { limit = listDefault, after } = options;
  return {
    limit: limit === 0 ? 0 : limitGiven(limit, 'limit'),
    after: after === undefined ? undefined : textGiven(after, 'after'),
  };
}

/** @throws invalid_argument */
export function scanLimits(
  cursor: number,
  limit: number = scanDefault,
): { readonly from: number; readonly about: number } {
  const isCursor = Number.isInteger(cursor) && cursor >= 0 && cursor < hashEnd;
  if (!isCursor) fail('invalid_argument', `There is no cursor ${show(cursor)}.`);
  return { from: cursor, about: limitGiven(limit, 'limit') };
}

function limitGiven(limit: number, name: string): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= listMax) return limit;
  return fail('invalid_argument', `${name} must be 1 to ${listMax}; got ${show(limit)}.`);
}

export function textGiven(text: string, name: string): string {
  if (typeof text === 'string' && text.isWellFormed()) return text;
  return fail('invalid_argument', `${name} must be well-formed text.`);
}

/** Bit k set: kind k is zeroed on free. */
export function zeroKindsOf(options: OpenOptions): number {
  let bits = 0;
  const { zeroOnFree = [] } = options;
  if (!Array.isArray(zeroOnFree)) {
    fail('invalid_argument', `zeroOnFree must be an array of kinds; got ${show(zeroOnFree)}.`);
  }
  for (const name of zeroOnFree as readonly string[]) bits |= 1 << kindNamed(name);
  return bits;
}

/** @throws invalid_argument for options that exclude one another */
export function checkOpenOptions(options: OpenOptions): void {
  checkOptions(options);
  const { path, handle, readOnly, clock, seed, hooks, eviction, lockWaitMs } = options;
  if (lockWaitMs !== undefined && !(lockWaitMs >= 0 && lockWaitMs <= lockWaitMaxMs)) {
    fail('invalid_argument', `lockWaitMs must be 0 to ${lockWaitMaxMs}; got ${show(lockWaitMs)}.`);
  }
  if (handle !== undefined && path !== undefined) {
    fail('invalid_argument', 'Give path or handle, not both.');
  }
  if (readOnly === true && path === undefined) {
    fail('invalid_argument', 'readOnly needs the path of a pool.');
  }
  if (path !== undefined && (typeof path !== 'string' || path === '')) {
    fail('invalid_argument', `path must name a folder; got ${show(path)}.`);
  }
  if (clock !== undefined && typeof clock?.nowMs !== 'function') {
    fail('invalid_argument', `clock must have a method nowMs; got ${show(clock)}.`);
  }
  if (seed !== undefined && !Number.isSafeInteger(seed)) {
    fail('invalid_argument', `seed must be a whole number; got ${show(seed)}.`);
  }
  if (eviction !== undefined && !policyNames.includes(eviction)) {
    fail(
      'invalid_argument',
      `eviction must be one of ${policyNames.join(', ')}; got ${show(eviction)}.`,
    );
  }
  if (hooks !== undefined) checkOptions(hooks);
  checkTiers(options);
}

/** @throws invalid_argument */
function checkTiers({ tiers, path, handle, readOnly, keyProvider, tenant }: OpenOptions): void {
  if (keyProvider !== undefined && typeof keyProvider?.unwrap !== 'function') {
    fail('invalid_argument', `keyProvider must have a method unwrap; got ${show(keyProvider)}.`);
  }
  if (tenant !== undefined) textGiven(tenant, 'tenant');
  if (tiers === undefined) return;
  checkOptions(tiers);
  const { disk } = tiers;
  if (disk === undefined) return;
  checkOptions(disk);
  if (path === undefined || handle !== undefined || readOnly === true) {
    fail(
      'invalid_argument',
      'A disk tier goes with the path of a pool that is opened for writing.',
    );
  }
  if (disk.path !== undefined && textGiven(disk.path, 'tiers.disk.path') === '') {
    fail('invalid_argument', 'tiers.disk.path must name a folder.');
  }
  const { versions = 1 } = disk;
  if (!(Number.isInteger(versions) && versions >= 1 && versions <= versionsMax)) {
    fail(
      'invalid_argument',
      `tiers.disk.versions must be 1 to ${versionsMax}; got ${show(versions)}.`,
    );
  }
  for (const name of ['maxBytes', 'reserveBytes'] as const) {
    const bytes = disk[name];
    if (bytes !== undefined) wholeFrom(0, bytes, `tiers.disk.${name}`);
  }
}
