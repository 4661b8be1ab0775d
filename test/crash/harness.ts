/**
 * Runs an operation once for every memory access it makes, ends it there as kill -9 would, opens the pool again over the same memory,
 * and looks at everything: the parts are in their old or their new state, nothing leaked, nothing else changed.
 */

import assert from 'node:assert/strict';
import type { Region, RegionOptions } from '../../src/memory/region.ts';
import type { PartInfo } from '../../src/pool/api.ts';
import type { AllocatorChoices } from '../../src/store/open.ts';
import type { StoreOptions } from '../../src/store/options.ts';
import { accessCount, accessesOf, armCrash, Crash, disarm } from '../support/instrumented-words.ts';
import {
  abandon,
  anotherPool,
  copyMemory,
  leakedBlocks,
  newMemory,
  type OwnedPool,
  ownPool,
  ownRegion,
  restoreMemory,
  type SharedHandle,
} from '../support/owned-memory.ts';
import { momentsOf } from '../support/moments.ts';
import { pointsOf } from '../support/points.ts';

const mib = 2 ** 20;

const ci = process.env['CI'] === 'true';

export interface Scenario {
  readonly name: string;
  readonly memory?: Pick<RegionOptions, 'capacityBytes' | 'maxCapacityBytes' | 'segmentBytes'>;
  readonly choices?: AllocatorChoices;
  readonly options?: Partial<StoreOptions>;
  /** What is there before. The pool is closed in order afterwards. */
  readonly fill: (owned: OwnedPool) => void;
  /** Makes the leases, drafts and the like that the operation meets. @returns the operation, which is killed at each of its accesses */
  readonly begin: (owned: OwnedPool) => () => void;
  /** What must be true of the state after a crash, beside each part being old or new. */
  readonly expect?: Expectation;
  /** What must hold for what is done after a crash. */
  readonly afterwards?: (owned: OwnedPool) => void;
  /** Marks in sensitive parts: found nowhere in memory unless a part that holds them is there. */
  readonly secrets?: readonly Uint8Array[];
}

export type Expectation = (seen: Seen, before: Seen, after: Seen) => void;

interface SeenPart {
  readonly info: PartInfo;
  /** The same as text, to compare. */
  readonly told: string;
  readonly bytes: Buffer;
}

/** Everything that can be told of a pool. */
export interface Seen {
  /** By id and part. */
  readonly parts: Map<string, SeenPart>;
  readonly capacityBytes: number;
}

export const nowMs = 1_700_000_000_000;

let clockMs = nowMs;

/** Lets time pass; every trial begins at `nowMs`. */
export function setNow(atMs: number): void {
  clockMs = atMs;
}

export const defaultOptions: StoreOptions = {
  clock: { nowMs: () => clockMs },
  seed: 7,
  eviction: 'lru',
  checksums: true,
  hooks: {},
};

export class Trial {
  readonly memory: SharedHandle;
  /** Accesses of the whole operation. */
  readonly accesses: number;
  readonly #scenario: Scenario;
  readonly #start: readonly Uint8Array[];
  readonly #before: Seen;
  readonly #after: Seen;
  #afterBeside: Seen | undefined;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.memory = newMemory(scenario.memory ?? { capacityBytes: 4 * mib });
    disarm();
    setNow(nowMs);
    const first = this.open();
    scenario.fill(first);
    first.pool.close().catch((error: unknown) => assert.fail(String(error)));
    this.#start = copyMemory(this.memory);
    this.#before = copied(observe(this.#ready().owned));
    const { owned, operation } = this.#ready();
    armCrash(Infinity);
    operation();
    this.accesses = accessCount();
    disarm();
    this.#after = copied(observe(owned.store.closed ? this.open() : owned));
    restoreMemory(this.memory, this.#start);
  }

  open(region: Region = ownRegion(this.memory)): OwnedPool {
    const { choices, options } = this.#scenario;
    return ownPool(region, { ...defaultOptions, ...options }, choices);
  }

  /** Accesses of the operation to crash at. */
  accessesToVisit(): readonly number[] {
    return this.accessesIn(this.#ready().operation);
  }

  /** Accesses at which a crash leaves something else than at the one before, and one more. */
  moments(): readonly number[] {
    return momentsOf(this.memory.buffers, this.#ready().operation);
  }

  /** Accesses to crash at, of something that is done to the memory as it is now. With CI=true only where a crash leaves something else than at the one before, and one more. */
  accessesIn(work: () => void): readonly number[] {
    if (ci) return momentsOf(this.memory.buffers, work);
    return Array.from({ length: accessesOf(work) }, (_, n) => n + 1);
  }

  /** The same beside another owner, as `crashBeside` has it. What the operation does there may happen too, such as more evictions. */
  accessesBeside(meanwhile: (other: OwnedPool) => void): readonly number[] {
    const { operation } = this.#ready();
    const other = this.another();
    meanwhile(other);
    const accesses = this.accessesIn(operation);
    this.#afterBeside = copied(observe(other));
    return accesses;
  }

  /** Leaves in memory what a crash at access `k` of the operation leaves. */
  crashAt(k: number): void {
    const died = dies(k, this.#ready().operation);
    assert(died || k > this.accesses, `the operation ended before access ${k}`);
  }

  /** Another owner of the pool as it is. */
  another(): OwnedPool {
    const { choices, options } = this.#scenario;
    return anotherPool(this.memory, { ...defaultOptions, ...options }, choices);
  }

  /**
   * Crashes at access `k` while another owner has the pool open.
   * @param meanwhile what that one has begun before
   * @returns the other one, who has not noticed yet
   */
  crashBeside(k: number, meanwhile: (other: OwnedPool) => void): OwnedPool {
    const { operation } = this.#ready();
    const other = this.another();
    meanwhile(other);
    dies(k, operation); // or has ended before
    abandon(this.memory, 0);
    return other;
  }

  /** Opens what is in memory now, and looks at everything. @param toTheEnd deletes everything too, and looks for what is left */
  verify(toTheEnd: boolean): void {
    this.verifyIn(this.open(), toTheEnd);
  }

  verifyIn(owned: OwnedPool, toTheEnd: boolean): void {
    const { pool, store, recovery } = owned;
    assert.equal(recovery?.dropped ?? 0, 0, 'parts were dropped');
    if (recovery !== undefined) assert.equal(recovery.parts, pool.stats().parts);
    assert.deepEqual(pool.check().errors, []);
    assert.deepEqual(leakedBlocks(store), [], 'blocks that nobody holds');
    const seen = observe(owned);
    this.#compare(seen);
    this.#expectSecretsGone(seen);
    this.#scenario.afterwards?.(owned);
    if (toTheEnd) this.expectNothingLeft(owned);
  }

  /** An opened pool, ready for the operation. */
  #ready(): { readonly owned: OwnedPool; readonly operation: () => void } {
    setNow(nowMs);
    restoreMemory(this.memory, this.#start);
    const owned = this.open();
    return { owned, operation: this.#scenario.begin(owned) };
  }

  #compare(seen: Seen): void {
    const before = this.#before;
    const after = this.#after;
    const keys = new Set([...before.parts.keys(), ...after.parts.keys(), ...seen.parts.keys()]);
    for (const key of keys) {
      const found = seen.parts.get(key);
      const isOld = same(found, before.parts.get(key));
      const isNew = [after, this.#afterBeside ?? after].some(({ parts }) =>
        same(found, parts.get(key)),
      );
      assert(isOld || isNew, `${key} is neither in its old nor in its new state`);
    }
    assert([before.capacityBytes, after.capacityBytes].includes(seen.capacityBytes));
    this.#scenario.expect?.(seen, before, after);
  }

  #expectSecretsGone(seen: Seen): void {
    for (const mark of this.#scenario.secrets ?? []) {
      if ([...seen.parts.values()].some(({ bytes }) => bytes.includes(Buffer.from(mark)))) continue;
      for (const buffer of this.memory.buffers) {
        assert.equal(Buffer.from(buffer).indexOf(mark), -1, 'a secret is still in memory');
      }
    }
  }

  /** With every part deleted, nothing but tables and entries is left. */
  expectNothingLeft({ pool, store }: OwnedPool): void {
    pool.sweepExpired(2 ** 30);
    for (const { id } of pool.list({ limit: 10_000 })) pool.delete(id);
    assert.deepEqual(pool.check().errors, []);
    assert.equal(pool.stats().retiredParts, 0);
    assert.deepEqual(leakedBlocks(store), [], 'blocks that outlive every part');
  }
}

/** Calls `visit` for accesses, about `most` of them, and says of what fails for which it did, and what came `before`. @returns how many */
export function visitAccesses(
  accesses: readonly number[],
  most: number,
  visit: (k: number, nth: number) => void,
  before = '',
): number {
  let visited = 0;
  for (const nth of pointsOf(accesses.length, most)) {
    const k = accesses[nth - 1] as number;
    try {
      visit(k, visited);
    } catch (error) {
      throw new Error(`${before}killed at access ${k} of ${accesses.at(-1)}`, { cause: error });
    }
    visited++;
  }
  return visited;
}

/** Runs `work` and ends it at its `k`-th access. @returns false when it has fewer */
export function dies(k: number, work: () => void): boolean {
  armCrash(k);
  try {
    work();
    return false;
  } catch (error) {
    if (error instanceof Crash) return true;
    throw error;
  } finally {
    disarm();
  }
}

/** Bytes are those in memory, as long as nothing changes there. */
export function observe({ pool }: OwnedPool): Seen {
  const parts: Seen['parts'] = new Map();
  for (const { id, parts: infos } of pool.list({ limit: 10_000 })) {
    for (const info of infos) {
      const lease = pool.get(id, info.part);
      assert(lease !== undefined);
      // How often it was used is no part of its state.
      const lasting = { ...info, uses: 0 };
      const told = JSON.stringify(lasting);
      parts.set(`${id}/${info.part}`, { info: lasting, told, bytes: viewOf(lease.data) });
      lease.release();
    }
  }
  return { parts, capacityBytes: pool.stats().capacityBytes };
}

function viewOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** What stays when memory is another. */
function copied({ parts, capacityBytes }: Seen): Seen {
  const copies = [...parts].map(
    ([key, part]) => [key, { ...part, bytes: Buffer.from(part.bytes) }] as const,
  );
  return { parts: new Map(copies), capacityBytes };
}

function same(left: SeenPart | undefined, right: SeenPart | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return left.told === right.told && left.bytes.equals(right.bytes);
}
