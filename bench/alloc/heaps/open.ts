/** The JavaScript heaps by name. */

import type { RegionHandle } from '../../../src/memory/region.ts';
import type { Heap, HeapName, HeapOptions } from './heap.ts';
import { ThingHeap, ViewHeap, VoidHeap } from './others.ts';
import { joinOurs, openOurs } from './ours.ts';
import { lockWords, type Variant } from './variants.ts';

const variants: Partial<Record<HeapName, Variant>> = {
  'cenote, global lock': 'global lock',
  'cenote, sharded locks': 'sharded locks',
  'cenote, no run cache': 'no run cache',
};

/**
 * @param handle of the first worker's region, for the others: they join it
 * @param locks words that all workers share
 */
export function openHeap(
  name: HeapName,
  options: HeapOptions,
  handle?: RegionHandle,
  locks: Int32Array = new Int32Array(lockWords),
): Heap<number> | Heap<Uint8Array | undefined> {
  switch (name) {
    case 'thi.ng/malloc':
      return new ThingHeap(options);
    case 'Buffer.allocUnsafe':
      return new ViewHeap('pooled');
    case 'Uint8Array':
      return new ViewHeap('fresh');
    case 'void':
      return new VoidHeap();
    case 'cenote':
    case 'cenote, no run cache':
    case 'cenote, sharded locks':
    case 'cenote, global lock':
      return handle === undefined
        ? openOurs(options, variants[name], locks)
        : joinOurs(handle, variants[name], locks);
  }
}
