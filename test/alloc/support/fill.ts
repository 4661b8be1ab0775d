import type { Allocator } from '../../../src/alloc/api.ts';
import type { Kind } from '../../../src/alloc/kind.ts';
import type { Ref } from '../../../src/memory/region.ts';

/** Allocates until there is no memory. */
export function fill(allocator: Allocator, kind: Kind, sizeBytes: number): Ref[] {
  const refs: Ref[] = [];
  for (let ref = allocator.allocate(kind, sizeBytes); ref !== 0;) {
    refs.push(ref);
    ref = allocator.allocate(kind, sizeBytes);
  }
  return refs;
}
