/** What many owners of one memory may not do without, so that each can use what it evicts. */

const sharing = 'test/pool/sharing.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const shared = [
  {
    name: 'full slabs that stay their owner’s',
    why: 'another owner would evict part after part, and have none of their memory',
    file: 'src/alloc/slabs.ts',
    from: '    if (slab !== noSlab) this.#share(stack, this.lists.full(stack, leftForNew));\n',
    to: '',
    test: sharing,
    killer:
      'a pool that one owner has filled with parts of 3000 bytes to 0.9 takes those of another, one for one',
  },
  {
    name: 'eviction of what does not come back',
    why: 'the pool would be emptied for nothing',
    file: 'src/store/evictor.ts',
    from: '      if (this.comesBack(ref)) return this.#evictColdest(ref);',
    to: '      return this.#evictColdest(ref);',
    test: sharing,
    killer:
      'a pool that one owner has filled with parts of 3000 bytes and turned over keeps them until the owner sweeps: then the oldest go',
  },
  {
    name: 'an owner that does not share when it is asked',
    why: 'parts of an owner that is idle could never go',
    file: 'src/alloc/held-back.ts',
    from: "    this.sharing = sharing;\n    this.slabs.share('all');",
    to: '    this.sharing = sharing;',
    test: sharing,
    killer:
      'a pool that one owner has filled with parts of 3000 bytes and turned over keeps them until the owner sweeps: then the oldest go',
  },
  {
    name: 'an owner that reads and hears nobody',
    why: 'others would be refused memory as long as it only reads',
    file: 'src/store/store.ts',
    from: '      if (this.#gets === 0) this.allocator.notice();\n',
    to: '',
    test: sharing,
    killer:
      'a pool that one owner has filled with parts of 3000 bytes and turned over keeps them until the owner has read some: then the oldest go',
  },
  {
    name: 'a slab that is left with what was not published',
    why: 'it would be freed with whoever has the slab then, while its owner writes it',
    file: 'src/alloc/slabs.ts',
    from: 'if (isPublished(view, window, this.table.slabWords)) {',
    to: 'if (view !== undefined) {',
    test: 'test/alloc/sharing.test.ts',
    killer: 'a slab left for a new slab keeps what was not published when who took it in dies',
  },
  {
    name: 'slabs of nobody that are looked for in the segments of before',
    why: 'the bit that told of them is cleared: nobody would look again before somebody frees in those slabs',
    file: 'src/alloc/orphans.ts',
    from: '    this.#runs.follow(); // after it: a slab of which the bit told is in a segment that we know then\n',
    to: '',
    test: 'test/alloc/sharing.test.ts',
    killer: 'a slab of nobody in a segment that came since is found by an owner that needs a block',
  },
  {
    name: 'slabs of nobody that are all taken in, but for those of new segments',
    why: 'the bit that told of them is cleared: nobody would look again before somebody frees in those slabs',
    file: 'src/alloc/orphans.ts',
    from: '    if (any === 0) return;\n    this.#runs.follow();\n',
    to: '    if (any === 0) return;\n',
    test: 'test/alloc/sharing.test.ts',
    killer:
      'a slab of nobody in a segment that came since is found by an owner that takes in all that nobody has',
  },
];
