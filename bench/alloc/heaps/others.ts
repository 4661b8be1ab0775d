/** What a JavaScript program would otherwise use, and nothing at all. */

import { MemPool } from '@thi.ng/malloc';
import {
  type Heap,
  type HeapOptions,
  type Memory,
  type Reserved,
  type Slots,
  type Source,
  touchEveryPage,
} from './heap.ts';

class OneBuffer implements Memory<number> {
  declare private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  touch(address: number): void {
    this.bytes[address] = 1;
  }
}

class ThingSource implements Source<number> {
  readonly pool: MemPool;

  constructor(pool: MemPool) {
    this.pool = pool;
  }

  allocate(_kind: number, sizeBytes: number): number {
    return this.pool.malloc(sizeBytes);
  }

  free(address: number): void {
    this.pool.free(address);
  }
}

/** @thi.ng/malloc: blocks in one buffer, in two lists sorted by address. */
export class ThingHeap implements Heap<number> {
  readonly none = 0;
  readonly isCollected = false;
  readonly kind = 0;
  readonly source: ThingSource;
  readonly memory: Memory<number>;
  readonly #bytes: Uint8Array;
  readonly #sizes = new Map<number, number>();

  constructor(options: HeapOptions) {
    const buf = new ArrayBuffer(options.capacityBytes);
    this.source = new ThingSource(new MemPool({ buf, align: options.aligned ? 64 : 8 }));
    this.#bytes = new Uint8Array(buf);
    this.memory = new OneBuffer(this.#bytes);
  }

  touchPages(address: number, sizeBytes: number): void {
    touchEveryPage(this.#bytes, address, sizeBytes);
    this.#sizes.set(address, sizeBytes);
  }

  bytesOf(address: number): { readonly bytes: Uint8Array; readonly at: number } {
    return { bytes: this.#bytes, at: address };
  }

  /** The pool does not tell: what was asked for. */
  usableBytes(address: number): number {
    return this.#sizes.get(address) ?? 0;
  }

  slots(count: number): Int32Array {
    return new Int32Array(count);
  }

  reserved(): Reserved {
    return { bytes: this.source.pool.stats().top, how: 'top of the pool' };
  }
}

type View = Uint8Array | undefined;

/** The caller forgets what it frees: nothing else to do. */
class BufferSource implements Source<View> {
  allocate(_kind: number, sizeBytes: number): View {
    return Buffer.allocUnsafe(sizeBytes);
  }

  free(): void {}
}

class ArraySource implements Source<View> {
  allocate(_kind: number, sizeBytes: number): View {
    return new Uint8Array(sizeBytes);
  }

  free(): void {}
}

const viewMemory: Memory<View> = {
  touch(view: View): void {
    (view as Uint8Array)[0] = 1;
  },
};

/** Byte arrays that the garbage collector takes back. */
export class ViewHeap implements Heap<View> {
  readonly none = undefined;
  readonly isCollected = true;
  readonly kind = 0;
  readonly source: Source<View>;
  readonly memory: Memory<View> = viewMemory;

  constructor(how: 'pooled' | 'fresh') {
    this.source = how === 'pooled' ? new BufferSource() : new ArraySource();
  }

  touchPages(view: Uint8Array, sizeBytes: number): void {
    touchEveryPage(view, 0, sizeBytes);
  }

  bytesOf(view: View): { readonly bytes: Uint8Array; readonly at: number } {
    return { bytes: view as Uint8Array, at: 0 };
  }

  usableBytes(view: Uint8Array): number {
    return view.byteLength;
  }

  slots(count: number): Slots<View> {
    return Array.from<View>({ length: count });
  }

  reserved(): Reserved {
    return { bytes: process.memoryUsage().arrayBuffers, how: 'all ArrayBuffers' };
  }
}

/** Takes nothing: what the loop itself costs. */
export class VoidHeap implements Heap<number> {
  readonly none = 0;
  readonly isCollected = false;
  readonly kind = 0;
  readonly #bytes = new Uint8Array(64);
  readonly memory: Memory<number> = new OneBuffer(this.#bytes);
  readonly source: Source<number> = { allocate: () => 1, free: () => {} };

  touchPages(): void {}

  bytesOf(): { readonly bytes: Uint8Array; readonly at: number } {
    return { bytes: this.#bytes, at: 0 };
  }

  usableBytes(): number {
    return 0;
  }

  slots(count: number): Int32Array {
    return new Int32Array(count);
  }

  reserved(): Reserved {
    return { bytes: 0, how: 'nothing' };
  }
}
