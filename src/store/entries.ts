/**
 * Entries in chunks of metadata memory that are never given back (an entry's lease words must never become anything else).
 *
 * ```
 * chunk: word 0   1             2      3
 *        ┌───────┬─────────────┬──────┬────────────────┬─────────┬─────────┬─
 *        │ magic │ first       │ count│ ref of the next│ entry 0 │ entry 1 │ …
 *        │ 'CENE'│ ordinal     │      │ older chunk, 0 │ 192 B   │         │
 *        └───────┴─────────────┴──────┴────────────────┴─────────┴─────────┴─
 *          one granule                                   entryWords each
 * ```
 */

import type { Allocator } from '../alloc/api.ts';
import { metadataKind } from '../alloc/kind.ts';
import { fail } from '../errors.ts';
import { control, controlByte } from '../memory/layout.ts';
import {
  granuleBytes,
  granuleShift,
  type Ref,
  type Region,
  type Segment,
} from '../memory/region.ts';
import { peek, poke, zero, type Words } from '../memory/words.ts';
import {
  entryGranules,
  entryWords,
  field,
  nextSequence,
  segmentOf,
  state,
  stateMask,
  wordOf,
} from './entry.ts';
import type { AllocateMetadata, Announce } from './ref-index.ts';

const chunkMagic = 0x45_4e_45_43; // 'CENE'
const chunkField = { magic: 0, firstOrdinal: 1, count: 2, older: 3 } as const;
/** Chunks double from the first size to the last: a small pool stays small. */
const firstChunkBytes = 4096;
const largestChunkBytes = 65536;

interface Chunk {
  readonly ref: Ref;
  readonly firstOrdinal: number;
  readonly count: number;
}

export class Entries {
  readonly #region: Region;
  readonly #allocator: Allocator;
  /** What is free: a pool without room gets its entries from the parts that it evicts. */
  readonly #allocateFree: AllocateMetadata;
  /** Oldest first, so that ordinals rise. */
  #chunks: Chunk[] = [];
  /** Number of entry slots. */
  count = 0;
  readonly #control: Words;
  readonly #freeHead = (controlByte >>> 2) + control.freeEntry;

  readonly #announce: Announce;

  constructor(
    region: Region,
    allocator: Allocator,
    allocateFree: AllocateMetadata,
    announce: Announce,
  ) {
    this.#region = region;
    this.#allocator = allocator;
    this.#allocateFree = allocateFree;
    this.#announce = announce;
    this.#control = (region.segments[0] as Segment).words;
    this.refresh();
  }

  /** Reads the chain of chunks from the superblock. @throws pool_corrupt when it is not one */
  refresh(): void {
    const chunks: Chunk[] = [];
    let ref = this.#region.superblock.rootEntries;
    while (ref !== 0) {
      const chunk = this.#chunkAt(ref, chunks.at(-1)?.firstOrdinal);
      chunks.push(chunk);
      ref = peek(segmentOf(this.#region, ref).words, wordOf(this.#region, ref) + chunkField.older);
      // The oldest chunk starts with entry 0, so the chain gets shorter with each step.
      if ((ref === 0) !== (chunk.firstOrdinal === 0)) badChunk(chunk.ref);
    }
    this.#chunks = chunks.reverse();
    const last = this.#chunks.at(-1);
    this.count = last === undefined ? 0 : last.firstOrdinal + last.count;
  }

  get chunkRefs(): Ref[] {
    return this.#chunks.map((chunk) => chunk.ref);
  }

  /** The blocks that hold entries. */
  get chunks(): { readonly ref: Ref; readonly sizeBytes: number }[] {
    return this.#chunks.map(({ ref, count }) => ({
      ref,
      sizeBytes: granuleBytes + count * entryWords * 4,
    }));
  }

  /** Reference of entry number `ordinal`, 0 ≤ ordinal < count. */
  at(ordinal: number): Ref {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#chunks[middle] as Chunk).firstOrdinal <= ordinal) low = middle;
      else high = middle - 1;
    }
    const chunk = this.#chunks[low] as Chunk;
    return chunk.ref + 1 + (ordinal - chunk.firstOrdinal) * entryGranules;
  }

  /** True when `ref` is one of the entry slots. */
  isEntry(ref: Ref): boolean {
    const segment = this.#region.segments[ref >>> (this.#region.segmentShift - granuleShift)];
    if (segment === undefined) return false;
    const ordinal = peek(segment.words, wordOf(this.#region, ref) + field.ordinal);
    return ordinal >= 0 && ordinal < this.count && this.at(ordinal) === ref;
  }

  /** A free entry, now claimed; 0 when memory is exhausted. */
  claim(): Ref {
    if (peek(this.#control, this.#freeHead) === 0 && !this.#addChunk()) return 0;
    const ref = peek(this.#control, this.#freeHead);
    const { words } = segmentOf(this.#region, ref);
    const at = wordOf(this.#region, ref);
    const stateWord = peek(words, at + field.state);
    if ((stateWord & stateMask) !== state.free) fail('pool_corrupt', `Entry ${ref} is not free.`);
    poke(this.#control, this.#freeHead, peek(words, at + field.next));
    // Plain: the store that makes it live publishes this, and a reader takes free and claimed alike.
    poke(words, at + field.state, nextSequence(stateWord, state.claimed));
    return ref;
  }

  release(ref: Ref): void {
    const { words } = segmentOf(this.#region, ref);
    const at = wordOf(this.#region, ref);
    poke(words, at + field.next, peek(this.#control, this.#freeHead));
    poke(words, at + field.state, nextSequence(peek(words, at + field.state), state.free));
    poke(this.#control, this.#freeHead, ref);
  }

  /** Forgets the free list: for recovery, which releases anew what is not live. */
  forgetFree(): void {
    poke(this.#control, this.#freeHead, 0);
  }

  /** A chunk of the chain, whose entries are followed by number `next` (of the newest: any). */
  #chunkAt(ref: Ref, next: number | undefined): Chunk {
    const { words, sizeBytes } = segmentOf(this.#region, ref);
    const at = wordOf(this.#region, ref);
    const firstOrdinal = peek(words, at + chunkField.firstOrdinal);
    const count = peek(words, at + chunkField.count);
    const endByte = (at << 2) + granuleBytes + count * entryWords * 4;
    const isChunk = peek(words, at + chunkField.magic) === chunkMagic && firstOrdinal >= 0;
    const fits = count > 0 && count < largestChunkBytes && endByte <= sizeBytes;
    const follows = next === undefined || firstOrdinal + count === next;
    return isChunk && fits && follows ? { ref, firstOrdinal, count } : badChunk(ref);
  }

  #addChunk(): boolean {
    const last = this.#chunks.at(-1);
    const previousBytes = last === undefined ? 0 : (last.count + 1) * entryWords * 4;
    const chunkBytes = Math.min(Math.max(firstChunkBytes, 2 * previousBytes), largestChunkBytes);
    const sizeBytes = 2 ** Math.floor(Math.log2(chunkBytes));
    const ref = this.#allocateFree(sizeBytes) || this.#allocateFree(firstChunkBytes);
    if (ref === 0) return false;
    const usable = Math.min(sizeBytes, this.#allocator.sizeOf(ref));
    this.#format(ref, usable);
    this.#allocator.keep(ref);
    try {
      this.#region.commit({ rootEntries: ref });
    } catch (error) {
      this.#allocator.free(ref, metadataKind);
      throw error;
    }
    this.#announce(); // the others' lists of chunks are out of date
    this.refresh();
    const chunk = this.#chunks.at(-1) as Chunk;
    for (let i = chunk.count - 1; i >= 0; i--) this.release(this.at(chunk.firstOrdinal + i));
    return true;
  }

  #format(ref: Ref, sizeBytes: number): void {
    const { words, bytes } = segmentOf(this.#region, ref);
    const at = wordOf(this.#region, ref);
    zero(bytes, at << 2, (at << 2) + sizeBytes);
    const count = Math.floor((sizeBytes - granuleBytes) / (entryWords * 4));
    poke(words, at + chunkField.magic, chunkMagic);
    poke(words, at + chunkField.firstOrdinal, this.count);
    poke(words, at + chunkField.count, count);
    poke(words, at + chunkField.older, this.#region.superblock.rootEntries);
    for (let i = 0; i < count; i++) {
      poke(words, at + 16 + i * entryWords + field.ordinal, this.count + i);
    }
  }
}

function badChunk(ref: Ref): never {
  return fail('pool_corrupt', `Reference ${ref} is not a chunk of entries.`);
}
