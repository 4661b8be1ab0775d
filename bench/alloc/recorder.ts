/** Records what a workload allocates and frees, for replay. */

import { type KindName, kinds } from '../../src/alloc/kind.ts';
import type { Heap, Source } from './heaps/heap.ts';
import type { TraceEvent } from './trace.ts';

/** Notes every call before it goes on to the heap. */
export class Recorder implements Source<number> {
  readonly events: TraceEvent[] = [];
  readonly #heap: Heap<number>;
  readonly #worker: number;
  readonly #nowUs: () => number;
  readonly #live: Map<number, { readonly id: number; readonly sizeBytes: number }> = new Map();
  #lastId: number;
  readonly #idStep: number;

  /** @param workers how many record side by side: their ids do not meet */
  constructor(heap: Heap<number>, worker: number, workers: number, nowUs: () => number) {
    this.#heap = heap;
    this.#worker = worker;
    this.#nowUs = nowUs;
    this.#lastId = worker + 1 - workers;
    this.#idStep = workers;
  }

  allocate(kind: number, sizeBytes: number): number {
    const ref = this.#heap.source.allocate(kind, sizeBytes);
    if (ref === this.#heap.none) return ref;
    this.#lastId += this.#idStep;
    const id = this.#lastId;
    this.#live.set(ref, { id, sizeBytes });
    this.#note('allocate', kind, id, sizeBytes);
    return ref;
  }

  free(ref: number, kind: number): void {
    const block = this.#live.get(ref);
    this.#live.delete(ref);
    if (block !== undefined) this.#note('free', kind, block.id, block.sizeBytes);
    this.#heap.source.free(ref, kind);
  }

  #note(action: TraceEvent['action'], kind: number, id: number, sizeBytes: number): void {
    const timeUs = Math.floor(this.#nowUs());
    const worker = this.#worker;
    this.events.push({ worker, timeUs, action, id, sizeBytes, kind: kinds[kind] as KindName });
  }
}

/** The same heap, with its calls noted. */
export function recorded(
  heap: Heap<number>,
  worker: number,
  workers: number,
  nowUs: () => number,
): { readonly heap: Heap<number>; readonly events: readonly TraceEvent[] } {
  const recorder = new Recorder(heap, worker, workers, nowUs);
  // Methods of the heap stay bound to it: it has private fields.
  const wrapped: Heap<number> = {
    none: heap.none,
    isCollected: heap.isCollected,
    kind: heap.kind,
    source: recorder,
    memory: heap.memory,
    touchPages: (ref, sizeBytes) => heap.touchPages(ref, sizeBytes),
    usableBytes: (ref) => heap.usableBytes(ref),
    bytesOf: (ref) => heap.bytesOf(ref),
    slots: (count) => heap.slots(count),
    reserved: () => heap.reserved(),
  };
  return { heap: wrapped, events: recorder.events };
}
