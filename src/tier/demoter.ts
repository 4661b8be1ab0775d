/**
 * Keeps a reserve of memory free: when writes have used it up, the coldest parts (as the pool's eviction ranks them) become records on the disk, and leave
 * memory when they are. A put never waits for it: one that finds no memory evicts, and what was not on the disk by then is lost (`lagged`).
 *
 * It is driven by bytes written, not by a clock: after every sixteenth of the reserve it looks how much is free.
 */

import { hasCode } from '../errors.ts';
import type { Ref } from '../memory/region.ts';
import { peek } from '../memory/words.ts';
import { partOf } from '../store/contexts.ts';
import { field, segmentOf, versionOf, wordOf } from '../store/entry.ts';
import { withPen } from '../store/pen.ts';
import { namesOf, retire } from '../store/remove.ts';
import type { DiskTier } from './disk-tier.ts';
import { isPersisted } from './persisted.ts';

/** Parts that are on their way to the disk at once, and their bytes: what is held in memory twice while it is sealed and written. */
const batchParts = 128;
const batchBytes: number = 8 * 2 ** 20;
const looksPerReserve = 16;
/** Rounds without a part that could go, after which it waits for the next look. */
const vainRoundsMax = 4;

interface Candidate {
  readonly id: string;
  readonly part: string;
  readonly version: number;
  readonly blockBytes: number;
}

export class Demoter {
  readonly #tier: DiskTier;
  readonly #reserveBytes: number;
  /** Share of a segment that is the allocator's own. */
  readonly #metadataShare: number;
  /** Bytes that may be written before the next look. */
  #creditBytes = 0;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(tier: DiskTier, reserveBytes: number) {
    this.#tier = tier;
    this.#reserveBytes = reserveBytes;
    const { metadataBytes, reservedBytes } = tier.store.allocator.stats();
    this.#metadataShare = metadataBytes / reservedBytes;
  }

  /** To be told of every write. */
  wrote(sizeBytes: number): void {
    this.#creditBytes -= sizeBytes;
    if (this.#creditBytes > 0 || this.#running !== undefined || this.#stopped) return;
    this.#creditBytes = this.#reserveBytes / looksPerReserve;
    if (this.#shortBytes(this.#tier.store.allocator.usedBytes) <= 0) return;
    // No caller waits for its outcome: what one could not do the next look tries again, and what is evicted until then counts as lagged.
    this.#running = this.#run()
      .catch(() => undefined)
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** True while parts are on their way to the disk. */
  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Resolves when nothing is on its way, whatever became of it. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.idle();
  }

  /** What is missing of the reserve while so many bytes are taken. */
  #shortBytes(takenBytes: number): number {
    const { capacityBytes } = this.#tier.store.region.superblock;
    return this.#reserveBytes - (capacityBytes * (1 - this.#metadataShare) - takenBytes);
  }

  async #run(): Promise<void> {
    const { doomed } = this.#tier;
    if (doomed.hasLeftovers) await doomed.takeOver();
    // Free blocks in slabs that are in use serve as well as free pages: only what is live counts.
    let shortBytes = this.#shortBytes(this.#tier.store.allocator.stats().liveBytes);
    for (let vain = 0; shortBytes > 0 && vain < vainRoundsMax && !this.#stopped;) {
      const freedBytes = await this.#round(shortBytes);
      if (freedBytes === undefined) return;
      vain = freedBytes > 0 ? 0 : vain + 1;
      shortBytes -= freedBytes;
    }
  }

  /** @returns bytes that came free; undefined when nothing can go to the disk now */
  async #round(wantedBytes: number): Promise<number | undefined> {
    const { store, step } = this.#tier;
    const writes: Candidate[] = [];
    let freedBytes = 0;
    let writtenBytes = 0;
    for (let i = 0; i < batchParts && freedBytes + writtenBytes < wantedBytes; i++) {
      const chosen = withPen(store, () => this.#choose());
      if (chosen === undefined) break;
      if (typeof chosen === 'number') {
        freedBytes += chosen;
        continue;
      }
      writes.push(chosen);
      writtenBytes += chosen.blockBytes;
      if (writtenBytes >= batchBytes) break;
    }
    step('demote:chosen');
    const outcomes = await Promise.allSettled(
      writes.map(({ id, part }) => this.#tier.write(id, part)),
    );
    step('demote:written');
    if (store.closed) return undefined;
    for (const candidate of writes) {
      freedBytes += withPen(store, () => this.#dropWritten(candidate));
    }
    const refused = outcomes.some(
      (outcome) => outcome.status === 'rejected' && isShortage(outcome.reason),
    );
    return refused && freedBytes === 0 ? undefined : freedBytes;
  }

  /** The part that would be evicted next. Under the pen. @returns bytes that came free where the disk has it already */
  #choose(): Candidate | number | undefined {
    const { store } = this.#tier;
    const ref = store.evictor.coldest();
    if (ref === 0) return undefined;
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref);
    if (isPersisted(words, at)) return this.#drop(ref);
    const blockBytes = peek(words, at + field.blockBytes);
    return { ...namesOf(store, ref), version: versionOf(words, at), blockBytes };
  }

  /** Under the pen. @returns bytes that came free: none when it was used, replaced or leased while it was written */
  #dropWritten({ id, part, version }: Candidate): number {
    const { store } = this.#tier;
    const ref = partOf(store, id, part);
    if (ref === 0) return 0;
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref);
    const isSame = versionOf(words, at) === version && isPersisted(words, at);
    return isSame && store.evictor.mayGo(ref, words, at) ? this.#drop(ref) : 0;
  }

  #drop(ref: Ref): number {
    const { store } = this.#tier;
    const at = wordOf(store.region, ref) + field.blockBytes;
    const bytes = peek(segmentOf(store.region, ref).words, at);
    retire(store, ref, 'demoted');
    return bytes;
  }
}

/** True where trying again at once is of no use. */
function isShortage(error: unknown): boolean {
  return (
    hasCode(error, 'tier_full') || hasCode(error, 'io_failed') || hasCode(error, 'key_unavailable')
  );
}
