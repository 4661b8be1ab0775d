/** What many owners of one memory may not do without, so that each can use what it evicts. */

const sharing = 'test/pool/sharing.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const shared = [
  {
    name: 'full slabs that stay their owner’s',
    why: 'another owner would evict part after part, and have none of their memory',
    file: 'src/alloc/slabs.ts',
    from: '    this.#share(stack, this.lists.full(stack, leftForNew));\n',
    to: '',
    test: sharing,
    killer:
      'a pool that one owner has filled with parts of 3000 bytes to 0.9 takes those of another, one for one',
  },
  {
    name: 'eviction of what does not come back',
    why: 'the pool would be emptied for nothing',
    file: 'src/store/evictor.ts',
    from: '      if (this.comesBack(ref)) return this.#evict(ref);',
    to: '      return this.#evict(ref);',
    test: sharing,
    killer:
      'a pool that one owner has filled with parts of 3000 bytes and turned over keeps them until the owner sweeps: then the oldest go',
  },
  {
    name: 'an owner that does not share when it is asked',
    why: 'parts of an owner that is idle could never go',
    file: 'src/alloc/owner-paths.ts',
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
];
