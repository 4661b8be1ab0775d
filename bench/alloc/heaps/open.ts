/** The JavaScript heaps by name. */

import type { Heap, HeapName, HeapOptions } from './heap.ts';
import { ThingHeap, ViewHeap, VoidHeap } from './others.ts';
import { openOurs } from './ours.ts';

export function openHeap(
  name: HeapName,
  options: HeapOptions,
): Heap<number> | Heap<Uint8Array | undefined> {
  switch (name) {
    case 'cenote':
      return openOurs(options);
    case 'thi.ng/malloc':
      return new ThingHeap(options);
    case 'Buffer.allocUnsafe':
      return new ViewHeap('pooled');
    case 'Uint8Array':
      return new ViewHeap('fresh');
    case 'void':
      return new VoidHeap();
  }
}
