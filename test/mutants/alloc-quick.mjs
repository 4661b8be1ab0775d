/** What the quick ways of freeing a block may not do without. */

const file = 'src/alloc/pool-allocator.ts';
const others = 'src/alloc/owner-paths.ts';
const longerRuns = 'test/pool/longer-runs.test.ts';
const programs = 'test/alloc/misuse-programs.test.ts';

/** @param {string} owners @param {string} what */
const small = (owners, what) => `'shared, ${owners}' with blocks of 48 bytes ${what}`;

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const quickFrees = [
  {
    name: 'a quick free that takes any kind',
    why: 'kinds are kept apart, also in the stacks',
    file,
    from: 'stack >> layout.kindOfStackShift === kind &&',
    to: '',
    test: programs,
    killer: small('one owner', 'free as another kind is wrong_kind'),
  },
  {
    name: "a quick free of another owner's block",
    why: 'it is pushed onto a stack of who does not have its slab, and its live bit is not ours to change',
    file,
    from: 'header - stack === this.ownHeader &&',
    to: '',
    test: 'test/alloc/conformance.test.ts',
    killer: 'shared, two owners frees what lies in a segment that went and came again',
  },
  {
    name: 'a quick free of what is free',
    why: 'the bit of a live block is set',
    file,
    from: '(((live & ~others) >> ref) & 1) !== 0 &&',
    to: '',
    test: programs,
    killer: small('one owner', 'double free is double_free'),
  },
  {
    name: 'a quick free of what another has freed',
    why: 'a remote bit is a free that the owner has yet to notice',
    file,
    from: 'const others = peek(bits, at + layout.keptAt) | peek(bits, at + layout.remoteAt);',
    to: 'const others = peek(bits, at + layout.keptAt);',
    test: programs,
    killer: small('two owners', 'double free is double_free'),
  },
  {
    name: 'a quick free of what is kept',
    why: 'the mark is taken off first',
    file,
    from: 'const others = peek(bits, at + layout.keptAt) | peek(bits, at + layout.remoteAt);',
    to: 'const others = peek(bits, at + layout.remoteAt);',
    test: 'test/alloc/interleaved.test.ts',
    killer: "while an owner 'frees a kept block' another does nothing",
  },
  {
    name: 'a quick free into a full stack',
    why: 'behind a stack lies the next one',
    file,
    from: `0 &&
        depth !== stacks[base + stackLimit]`,
    to: '0',
    test: 'test/alloc/model.test.ts',
    killer: 'slabs that come and go of 2^16 bytes with blocks of [512,4000]',
  },
  {
    name: 'a quick free of what is to be zeroed',
    why: 'who has the block next must not read it',
    file,
    from: 'this.quickViews.length === 0 ? 0 : this.granuleMask;',
    to: 'this.granuleMask;',
    test: programs,
    killer: small(
      'one owner',
      'memory of a kind that is zeroed holds nothing after free, and when it is given again',
    ),
  },
  {
    name: 'an allocation of a kind that there is not',
    why: 'there are stacks for it, which are never filled',
    file,
    from: 'if (kind >= kindCount) return this.allocateRun(kind, sizeBytes);',
    to: '',
    test: 'test/alloc/misuse.test.ts',
    killer: 'allocate of kind 5, 64 bytes is invalid_argument',
  },
  {
    name: "a free of another's block as any kind",
    why: 'kinds are kept apart',
    file: others,
    from: 'if (!isOfKind || header >> layout.slabOwnerShift === layout.nobody) return false;',
    to: 'if (header >> layout.slabOwnerShift === layout.nobody) return false;',
    test: programs,
    killer: small('two owners', 'free as another kind is wrong_kind'),
  },
  {
    name: "a free in the middle of another's block",
    why: 'only where a block begins there is a bit',
    file: others,
    from: 'if (((peek(view.bits, (granule >> 5) << layout.bitsWordShift) >> granule) & 1) === 0) {\n      return false;\n    }',
    to: '',
    test: programs,
    killer:
      "'shared, two owners' with blocks of 3000 bytes free of an address inside a block is foreign_reference",
  },
  {
    name: 'a run of a length that is not made any more is held',
    why: 'of an older pool there may be some: a longer request would get it',
    file: 'src/alloc/run-cache.ts',
    from: ' || stack === 0',
    to: '',
    test: 'test/alloc/run-cache.test.ts',
    killer: 'a run of a length that is not made any more, or of an extent, is not taken',
  },
  {
    name: 'a longer run than was asked for is cut short',
    why: "pages behind its end are lost, or another's",
    file: others,
    from: 'const length = this.cache.poppedPages;',
    to: 'const length = pages;',
    test: 'test/alloc/run-cache.test.ts',
    killer:
      'of two owners of a large pool a request that a longer run answers has all of it, and gives all of it back',
  },
  {
    name: 'what is taken out of a cache is counted as it was asked for',
    why: 'the bound on what is held back would drift',
    file: 'src/alloc/run-cache.ts',
    from: 'this.#longPages -= popped;',
    to: 'this.#longPages -= pages;',
    test: 'test/alloc/run-cache.test.ts',
    killer:
      'where no longer run of its length waits, the nearest of the next two lengths is had, and a short one never',
  },
  {
    name: 'runs may be longer where memory is short, too',
    why: 'each that is freed would serve a shorter request whole, and be lost for who could use the rest',
    file: others,
    from: '    this.cache.mayBeLonger = false;\n',
    to: '',
    test: 'test/alloc/run-cache.test.ts',
    killer:
      'of two owners of a large pool one that found no memory gets no longer run than it asks for, though another has filled it',
  },
  {
    name: 'runs may be longer however full memory is',
    why: 'a pool that is filled would have them everywhere',
    file: 'src/alloc/run-cache.ts',
    from: 'usedPages <= plentyShare * dataPages',
    to: 'true',
    test: longerRuns,
    killer: 'a large part finds room among parts in longer runs',
  },
  {
    name: 'a part takes no more of its window than it has room',
    why: 'the rest of a longer run would count as something that cannot go',
    file: 'src/store/window.ts',
    from: 'visit(entry, payload, allocator.sizeOf(payload))',
    to: 'visit(entry, payload, peek(words, at + field.blockBytes))',
    test: longerRuns,
    killer: 'a large part finds room among parts in longer runs',
  },
  {
    name: 'an owner that finds what it wants never answers',
    why: 'what it holds others may need',
    file: others,
    from: 'few > 1 && kind > 0 && !isAsked',
    to: 'few > 1 && kind > 0',
    test: 'test/alloc/run-cache.test.ts',
    killer:
      'of two owners of a large pool one that finds all it wants in what it holds gives back all the same when the other finds no memory',
  },
  {
    name: 'what is held back has the share of the memory, not of the limit',
    why: 'one owner could hold all that the limit allows',
    file: others,
    from: 'Math.min(this.runs.dataPages, this.runs.limitPages)',
    to: 'this.runs.dataPages',
    test: 'test/alloc/run-cache.test.ts',
    killer: 'of two owners of a large pool below a limit less is held back',
  },
  {
    name: 'a quick free of a run as a kind beside its flags',
    why: 'kind 9 is kind 1 where the live flag is set anyway',
    file: others,
    from: '!isMine || layout.kindOfHead(head) !== kind',
    to: '!isMine',
    test: programs,
    killer: "'shared, one owner' with blocks of 20000 bytes free as another kind is wrong_kind",
  },
  {
    name: "a run of an owner's own that two claim",
    why: 'its live head is changed by one exchange, too',
    file: others,
    from: 'if (!table.swapHead(page, head, head & ~flagsOfRun)) {',
    to: 'table.setHead(page, head & ~flagsOfRun);\n    if (head === 0) {',
    test: 'test/alloc/interleaved.test.ts',
    killer:
      'two owners who free a long run at once leave it free, and are told of each other where that can be known',
  },
];
