/** An allocator as the workloads see it. */

/** A table of handles; a typed array where handles are integers. */
export interface Slots<H> {
  readonly length: number;
  [index: number]: H;
}

export interface Reserved {
  /** What the allocator holds, live or not. */
  readonly bytes: number;
  /** How that was counted. */
  readonly how: string;
}

/**
 * The two calls that are measured, with the signature of our allocator: it is called directly. A layer between costs 3 ns, more than there is
 * between allocators.
 */
export interface Source<H> {
  allocate(kind: number, sizeBytes: number): H;
  free(handle: H, kind: number): void;
}

/** Where a block's bytes are. */
export interface Memory<H> {
  /** Writes the first byte. */
  touch(handle: H): void;
}

export interface Heap<H> {
  /** What an empty slot holds, and what `allocate` gives when there is no memory. */
  readonly none: H;
  /** True when blocks are left to the garbage collector. */
  readonly isCollected: boolean;
  /** For both calls of `source`. */
  readonly kind: number;
  readonly source: Source<H>;
  readonly memory: Memory<H>;
  /** Writes a byte of every page, and the last. */
  touchPages(handle: H, sizeBytes: number): void;
  usableBytes(handle: H): number;
  /** The view that the block is in, and where. */
  bytesOf(handle: H): { readonly bytes: Uint8Array; readonly at: number };
  /** A table full of `none`. */
  slots(count: number): Slots<H>;
  reserved(): Reserved;
  /** Moves blocks so that memory comes free, and gives it back; `slots` follow. Absent where blocks cannot move. */
  compact?(slots: Slots<H>): void;
}

/** Bytes between two touches. */
export const touchStepBytes = 4096;

/** The JavaScript subjects, by the names in the rows. */
export const heapNames = [
  'cenote',
  'thi.ng/malloc',
  'Buffer.allocUnsafe',
  'Uint8Array',
  'void',
] as const;

/** Ours as shipped, and variants of it: see variants.ts. */
export const variantNames = [
  'cenote',
  'cenote, no run cache',
  'cenote, sharded locks',
  'cenote, global lock',
] as const;

export type HeapName = (typeof heapNames)[number] | (typeof variantNames)[number];

export interface HeapOptions {
  readonly capacityBytes: number;
  /** Of a pool of ours. Default: as openPool chooses. */
  readonly segmentBytes?: number | undefined;
  /** All blocks at multiples of 64 bytes. */
  readonly aligned: boolean;
  /** Where to make a mapped pool: its resident bytes can be told apart from the process's. */
  readonly folder?: string;
}

/** For heaps whose handles are byte views. */
export function touchEveryPage(bytes: Uint8Array, from: number, sizeBytes: number): void {
  for (let at = 0; at < sizeBytes; at += touchStepBytes) bytes[from + at] = 1;
  bytes[from + sizeBytes - 1] = 1;
}
