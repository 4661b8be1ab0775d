/**
 * The house workloads. One step: draw a slot; a full one is freed, an empty one gets a drawn size, is allocated and its
 * first byte written. The same stream as in native/house.c; `state` tells whether two runs drew the same.
 *
 * The modulus is signed: an unsigned one becomes a double in V8.
 */

import type { Heap, Slots } from './heaps/heap.ts';
import { boundedFillPercent, type HouseOptions } from './workloads.ts';

export interface House<H> {
  readonly heap: Heap<H>;
  readonly options: HouseOptions;
  readonly slots: Slots<H>;
  /** Requested bytes by slot; kept by `runBounded`. */
  readonly sizes: Int32Array;
  readonly lows: Int32Array;
  readonly spans: Int32Array;
  readonly weights: Int32Array;
  /** The generator, a signed word. */
  state: number;
  liveBytes: number;
  full: number;
  failures: number;
}

const firstSeed = 12345;

export function openHouse<H>(heap: Heap<H>, options: HouseOptions, worker: number): House<H> {
  const { ranges, slots } = options;
  return {
    heap,
    options,
    slots: heap.slots(slots),
    sizes: new Int32Array(slots),
    lows: Int32Array.from(ranges, ({ lowBytes }) => lowBytes),
    spans: Int32Array.from(ranges, ({ lowBytes, highBytes }) => highBytes - lowBytes + 1),
    weights: Int32Array.from(ranges, ({ weight }) => weight),
    state: firstSeed + worker,
    liveBytes: 0,
    full: 0,
    failures: 0,
  };
}

/**
 * The loops that are measured, over heap and slots in constants, as a program has its allocator: V8 knows them when it optimises, which takes a third off
 * the time of ours, and is what a compiled program has anyway. The generator is written out and the loop is there twice, because each call and each look-up
 * of a range would be a tenth of what it measures. Both are in one function, which is too long to be inlined where it is called: what may be inlined there is
 * counted in all. To be called once in a thread: what is constant in one loop is variable in two.
 *
 * @returns plays so many operations
 */
export function steadyLoop<H>(house: House<H>): (operations: number) => void {
  const { slots, lows, spans, weights } = house;
  const { none, kind, source, memory } = house.heap;
  const count = slots.length;
  const isMixed = lows.length > 1;
  const low = lows[0] as number;
  const span = spans[0] as number;
  return (operations) => {
    let x = house.state;
    for (let i = 0; i < operations && !isMixed; i += 1) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      const k = (x & 0x7fffffff) % count;
      const held = slots[k] as H;
      if (held !== none) {
        source.free(held, kind);
        slots[k] = none;
        continue;
      }
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      const handle = source.allocate(kind, low + ((x & 0x7fffffff) % span));
      if (handle === none) throw new Error('out of memory');
      memory.touch(handle);
      slots[k] = handle;
    }
    for (let i = 0; i < operations && isMixed; i += 1) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      const k = (x & 0x7fffffff) % count;
      const held = slots[k] as H;
      if (held !== none) {
        source.free(held, kind);
        slots[k] = none;
        continue;
      }
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      let range = 0;
      let percent = (x & 0x7fffffff) % 100;
      while (percent >= (weights[range] as number)) {
        percent -= weights[range] as number;
        range += 1;
      }
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      const sizeBytes = (lows[range] as number) + ((x & 0x7fffffff) % (spans[range] as number));
      const handle = source.allocate(kind, sizeBytes);
      if (handle === none) throw new Error('out of memory');
      memory.touch(handle);
      slots[k] = handle;
    }
    house.state = x;
  };
}

export function nextWord(state: number): number {
  let x = state;
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  return x;
}

function below<H>(house: House<H>, bound: number): number {
  house.state = nextWord(house.state);
  return (house.state & 0x7fffffff) % bound;
}

function drawRange<H>(house: House<H>): number {
  const { weights } = house;
  let percent = below(house, 100);
  let range = 0;
  while (percent >= (weights[range] as number)) {
    percent -= weights[range] as number;
    range += 1;
  }
  return range;
}

function drawSize<H>(house: House<H>): number {
  const range = house.lows.length > 1 ? drawRange(house) : 0;
  return (house.lows[range] as number) + below(house, house.spans[range] as number);
}

/** Live bytes count in lines of 64, as capacity is handed out. */
function linesOf(sizeBytes: number): number {
  return (sizeBytes + 63) & ~63;
}

function freeSlot<H>(house: House<H>, k: number): void {
  const { heap, slots, sizes } = house;
  const held = slots[k] as H;
  // A slot whose allocation failed holds a size and no block: it is freed like any other, so that the stream stays the same.
  if (held !== heap.none) heap.source.free(held, heap.kind);
  slots[k] = heap.none;
  house.liveBytes -= linesOf(sizes[k] as number);
  sizes[k] = 0;
  house.full -= 1;
}

/** The same, with live bytes bounded: what would pass the bound frees the next full slot in place of allocating. */
export function runBounded<H>(house: House<H>, operations: number, touchAll: boolean): void {
  const { heap, slots, sizes } = house;
  const { none, kind, source, memory } = heap;
  const count = slots.length;
  const targetBytes = house.options.targetBytes || Number.MAX_SAFE_INTEGER;
  for (let i = 0; i < operations; i += 1) {
    let k = below(house, count);
    if (sizes[k] !== 0) {
      freeSlot(house, k);
      continue;
    }
    const sizeBytes = drawSize(house);
    if (house.liveBytes + linesOf(sizeBytes) > targetBytes && house.full > 0) {
      do k = k + 1 === count ? 0 : k + 1;
      while (sizes[k] === 0);
      freeSlot(house, k);
      continue;
    }
    const handle = source.allocate(kind, sizeBytes);
    if (handle === none) house.failures += 1;
    else if (touchAll) heap.touchPages(handle, sizeBytes);
    else memory.touch(handle);
    slots[k] = handle;
    sizes[k] = sizeBytes;
    house.liveBytes += linesOf(sizeBytes);
    house.full += 1;
  }
}

/** Requested and usable bytes of what is live. */
export function tally<H>(house: House<H>): { requestedBytes: number; usableBytes: number } {
  const { heap, slots, sizes } = house;
  let requestedBytes = 0;
  let usableBytes = 0;
  for (let k = 0; k < slots.length; k += 1) {
    const held = slots[k] as H;
    if (held === heap.none) continue;
    requestedBytes += sizes[k] as number;
    usableBytes += heap.usableBytes(held);
  }
  return { requestedBytes, usableBytes };
}

export const latencyBatch = 64;

/** Nanoseconds per batch, a list per range of sizes. */
export interface Latencies {
  readonly batch: number;
  readonly allocate: readonly (readonly number[])[];
  readonly free: readonly (readonly number[])[];
}

/** Slots that are full on average, of a hundred: half, or what the bound on live bytes leaves. */
function fillPercent({ targetBytes }: HouseOptions): number {
  return targetBytes === 0 ? 50 : boundedFillPercent;
}

/** Frees 64 blocks of one range, chosen at random, and allocates 64 others: each half timed as one. */
export function timeBatches<H>(house: House<H>, batches: number, nowMs: () => number): Latencies {
  const { heap, lows, spans, weights } = house;
  const shelves = Array.from(lows, (low, range) => {
    const filled = Math.floor((house.options.slots * fillPercent(house.options)) / 100);
    const share = Math.floor((filled * (weights[range] as number)) / 100);
    const shelf = heap.slots(Math.max(share, 2 * latencyBatch));
    for (let i = 0; i < shelf.length; i += 1) {
      shelf[i] = heap.source.allocate(heap.kind, low + below(house, spans[range] as number));
    }
    return shelf;
  });
  const allocate: number[][] = shelves.map(() => []);
  const free: number[][] = shelves.map(() => []);
  const sizes = new Int32Array(latencyBatch);
  for (let batch = 0; batch < batches; batch += 1) {
    const range = drawRange(house);
    const shelf = shelves[range] as Slots<H>;
    for (let i = 0; i < latencyBatch; i += 1) {
      const other = i + below(house, shelf.length - i);
      const block = shelf[i] as H;
      shelf[i] = shelf[other] as H;
      shelf[other] = block;
      sizes[i] = (lows[range] as number) + below(house, spans[range] as number);
    }
    const start = nowMs();
    freeBatch(heap, shelf);
    const middle = nowMs();
    allocateBatch(heap, shelf, sizes);
    const end = nowMs();
    free[range]?.push(Math.round((middle - start) * 1e6));
    allocate[range]?.push(Math.round((end - middle) * 1e6));
    for (let i = 0; i < latencyBatch; i += 1) {
      const held = shelf[i] as H;
      if (held === heap.none) house.failures += 1;
      else heap.memory.touch(held);
    }
  }
  return { batch: latencyBatch, allocate, free };
}

function freeBatch<H>(heap: Heap<H>, shelf: Slots<H>): void {
  const { source, kind, none } = heap;
  for (let i = 0; i < latencyBatch; i += 1) {
    const held = shelf[i] as H;
    if (held !== none) source.free(held, kind);
  }
}

function allocateBatch<H>(heap: Heap<H>, shelf: Slots<H>, sizes: Int32Array): void {
  const { source, kind } = heap;
  for (let i = 0; i < latencyBatch; i += 1) shelf[i] = source.allocate(kind, sizes[i] as number);
}
