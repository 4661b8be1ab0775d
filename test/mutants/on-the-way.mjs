/** What may not be missing where something fails on the way: another owner is changing the region, or has died, or cannot leave in order. */

const busy = 'test/store/busy-region.test.ts';
const owners = 'test/store/many-owners.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const failedOnTheWay = [
  {
    name: 'a change of the store that fails after its commit',
    why: 'a part that is live stays: what is due beside it waits until the region is free',
    file: 'src/store/ref-index.ts',
    from: "      if (!hasCode(error, 'pool_busy')) throw error;",
    to: '      throw error;',
    test: busy,
    killer: 'a region that is busy for 1 commits, from some on',
  },
  {
    name: 'a table that nobody was told of',
    why: 'what was not committed is nobody’s, and goes',
    file: 'src/store/ref-index.ts',
    from: '      this.#free(ref);\n      throw error;',
    to: '      throw error;',
    test: busy,
    killer: 'a region that is busy for 1 commits, from some on',
  },
  {
    name: 'a key of a part that did not come to be',
    why: 'who is told that the pool is busy has left nothing in it',
    file: 'src/store/publish.ts',
    from: '    if (keyRef > 0) store.allocator.free(keyRef, metadataKind);\n',
    to: '',
    test: busy,
    killer: 'a region that is busy for 1 allocations, from some on',
  },
  {
    name: 'a slot that is free with what its owner has',
    why: 'nobody would look for it: the next one in the slot knows nothing of it',
    file: 'src/alloc/pool-allocator.ts',
    from: '    if (this.writes) region.slotSettled = false;',
    to: '    region.slotSettled = true;',
    test: owners,
    killer: 'owners of one store that cannot leave in order leave what they have to others',
  },
  {
    name: 'a slot that is free with what a dead owner had',
    why: 'who has the slot of a dead owner and could not clear it leaves it abandoned',
    file: 'src/memory/backed-region.ts',
    from: 'this.slotSettled = !member.slotAbandoned;',
    to: 'this.slotSettled = true;',
    test: owners,
    killer:
      'owners of one store that cannot clear up after who had their slot before leave that to others',
  },
  {
    name: 'a segment that went unheard',
    why: 'others would take the file that was for the one that comes in its place',
    file: 'src/pool/capacity.ts',
    from: 'let isDropped = true;',
    to: 'let isDropped = false;',
    test: owners,
    killer: 'owners of one store hear of a segment that went, whatever failed after that',
  },
  {
    name: 'a frozen copy of two sizes',
    why: 'another owner may add a segment, which the superblock counts and the copy lacks',
    file: 'src/pool/frozen-copy.ts',
    from: 'if (store.region.segments.length !== segments.length)',
    to: 'if (store.region.segments.length < segments.length)',
    test: 'test/pool/snapshot-frozen.test.ts',
    killer: 'is refused when another owner has grown the pool meanwhile',
  },
];
