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
  {
    name: 'a slot that is reclaimed from who has it next',
    why: 'between the look at its state and the lock another survivor may have freed it, and somebody have taken it',
    file: 'src/memory/backed-region.ts',
    from: 'this.#backing.hold === undefined ? state !== ownerAbandoned : state === ownerFree',
    to: 'this.#backing.hold !== undefined && state === ownerFree',
    test: 'test/memory/owners.test.ts',
    killer:
      "a slot of a 'shared' region is not taken from who has it next, whenever a second survivor is interrupted",
  },
  {
    name: 'an intent that goes with a slot',
    why: 'what a dead owner was at may be unfinished when the next one in its slot closes',
    file: 'src/memory/owners.ts',
    from: '    ownerSlot.opened,\n    ownerSlot.startTimeHigh,',
    to: '    ownerSlot.opened,\n    ownerSlot.intentOp,\n    ownerSlot.startTimeHigh,',
    test: owners,
    killer: 'owners of one store leave what a dead one intended to who brings the store in order',
  },
  {
    name: 'bytes of a live part that are freed with an error behind its commit',
    why: 'from its commit on the payload is the part’s',
    file: 'src/store/publish.ts',
    from: '  payload.ref = 0;\n',
    to: '',
    test: busy,
    killer:
      'a free that fails behind a commit undoes nothing, and what was under way is brought in order',
  },
  {
    name: 'a change that broke off and counts as made',
    why: 'what is behind the commit is made up for by whoever takes the pen next',
    file: 'src/store/publish.ts',
    from: '    store.pen.breaks();\n',
    to: '',
    test: busy,
    killer:
      'a free that fails behind a commit undoes nothing, and what was under way is brought in order',
  },
  {
    name: 'a retirement that broke off and counts as made',
    why: 'a part that is retired and still in the index, or in no list, is for recovery',
    file: 'src/store/remove.ts',
    from: '    store.pen.breaks();\n',
    to: '',
    test: busy,
    killer:
      'a free that fails behind a commit undoes nothing, and what was under way is brought in order',
  },
  {
    name: 'a lease on what could not be had',
    why: 'nobody would give it back',
    file: 'src/store/store.ts',
    from: '      this.drop(ref);\n      throw error;',
    to: '      throw error;',
    test: owners,
    killer: 'owners of one store hold nothing that they could not get at',
  },
];
