/** What may not be missing where bytes take the place of others, or move, while somebody may read them. */

const leases = 'test/pool/interleaved-leases.test.ts';
const windows = 'test/store/window-beside.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const storePlaces = [
  {
    name: 'replaced bytes that are freed under a lease',
    why: 'the selector is changed first, and the bits are looked at then: who leased in between reads on',
    file: 'src/store/replace.ts',
    from: 'leaveReplaced(store, old, words, at);',
    to: 'freeParked(store, old, words, at);',
    test: leases,
    killer: 'a lease that is taken while the writer replaces the part in place holds what it shows',
  },
  {
    name: 'lease bits that are looked at before bytes are replaced',
    why: 'no bit before the selector changes says nothing of those that are set until then',
    file: 'src/store/replace.ts',
    from: `  store.allocator.keep(payload.ref);
  commitBytes(words, at, payload.ref, payload.sizeBytes, payload.crc32 ?? 0);`,
    to: `  store.allocator.keep(payload.ref);
  const isLeased = store.isLeased(words, at);
  commitBytes(words, at, payload.ref, payload.sizeBytes, payload.crc32 ?? 0);
  if (!isLeased) freeParked(store, words, at);`,
    test: leases,
    killer: 'a lease that is taken while the writer replaces the part in place holds what it shows',
  },
  {
    name: 'a part that is replaced in place while it is leased',
    why: 'there is one idle slot: bytes that wait in it must not be overwritten',
    file: 'src/store/replace.ts',
    from: 'peek(words, at + field.selector) < selectorMax &&\n    !store.isLeased(words, at)',
    to: 'peek(words, at + field.selector) < selectorMax',
    test: 'test/store/parked.test.ts',
    killer:
      'a part that was replaced under a lease, and is then replaced in place again leaves nothing behind when the lease ends after',
  },
  {
    name: 'an append over bytes that wait',
    why: 'the idle slot may hold what was replaced under a lease',
    file: 'src/store/append.ts',
    from: 'return parked(words, at) === 0;',
    to: 'return true;',
    test: 'test/store/parked.test.ts',
    killer:
      'a part that was replaced under a lease, and is then appended to leaves nothing behind when the lease ends after',
  },
  {
    name: 'recovery that takes waiting bytes from a reader who lives',
    why: 'bytes that were replaced stay while a living reader has a lease on the entry',
    file: 'src/store/recover.ts',
    from: 'if (waiting !== 0) unique = mark(waiting) && unique;',
    to: '',
    test: 'test/store/leases-beside.test.ts',
    killer:
      'what a living reader has leased from one who died with the pen stays while the reader itself brings the store in order, and goes with the lease',
  },
  {
    name: 'recovery that ends the leases of the living',
    why: 'only the bits of owners that died are cleared',
    file: 'src/store/recover.ts',
    from: 'and(words, at + field.leases, living.low);',
    to: 'and(words, at + field.leases, 0);',
    test: 'test/store/leases-beside.test.ts',
    killer:
      'what a living reader has leased from one who died with the pen stays while one that opens the pool brings the store in order, and goes with the lease',
  },
  {
    name: 'bytes that move under a lease',
    why: 'a reader may have leased the old place between the look and the commit',
    file: 'src/store/move.ts',
    from: `leaveReplaced(store, ref, words, at);`,
    to: `freeParked(store, ref, words, at);`,
    test: 'test/pool/interleaved-leases.test.ts',
    killer:
      'a lease that is taken while the writer puts it elsewhere and moves it holds what it shows',
  },
  {
    name: 'bytes that move unverified',
    why: 'a damaged part must not get about',
    file: 'src/store/move.ts',
    from: `  if (checksummed && crc32(`,
    to: `  if (false as boolean && crc32(`,
    test: 'test/store/compact.test.ts',
    killer: 'compaction leaves a part that is damaged, and counts it',
  },
  {
    name: 'a move that counts as a change',
    why: 'versions are what users compare',
    file: 'src/store/move.ts',
    from: `, movedSelector(peek(words, at + field.selector)));`,
    to: `);`,
    test: 'test/store/compact.test.ts',
    killer: 'compaction brings free memory together and loses nothing',
  },
  {
    name: 'a secret that is copied and not wiped',
    why: 'a copy that is not used must not stay in free memory',
    file: 'src/store/compact.ts',
    from: `sensitive: (traits & trait.sensitive) !== 0`,
    to: `sensitive: false`,
    test: 'test/store/compact.test.ts',
    killer: 'compaction leaves no copy of a secret that it does not move',
  },
  {
    name: 'an old table that is not kept any more before it is freed',
    why: 'who recovers the dead owner that had made it frees what is not kept, too',
    file: 'src/store/ref-index.ts',
    from: '    this.#allocator.free(ref, metadataKind);',
    to: '    this.#allocator.unkeep(ref);\n    this.#allocator.free(ref, metadataKind);',
    test: 'test/store/tables-beside.test.ts',
    killer: 'a table of 2^9 slots is freed by who has moved what was in it',
  },
  {
    name: 'a part that is moved out of the segments of before',
    why: 'another owner may have put it into a segment that it has added',
    file: 'src/alloc/pool-allocator.ts',
    from: '    this.follow(); // another may have put it into a segment that it has added\n',
    to: '',
    test: 'test/store/compact.test.ts',
    killer: 'compaction moves what another has put into a segment that came since',
  },
  {
    name: 'a stretch that is looked for in memory that stands still',
    why: 'others need no pen to take memory and give it back: a page table that moves is no damage',
    file: 'src/store/window.ts',
    from: '    },\n    () => undefined,\n  );',
    to: '    },\n  );',
    test: windows,
    killer: 'while one owner clears a stretch another gives a large run back',
  },
  {
    name: 'a stretch that is looked for in the segments of before',
    why: 'another owner may add a segment while the heat of those that there were is counted',
    file: 'src/store/window.ts',
    from: '  if (map === undefined) return;\n  for (let unit = first; unit <= last; unit++) map[unit] = (map',
    to: '  if (map === undefined) throw new Error("no such segment");\n  for (let unit = first; unit <= last; unit++) map[unit] = (map',
    test: windows,
    killer: 'while one owner clears a stretch another adds a segment',
  },
  {
    name: 'a reference into a segment that is new',
    why: 'no epoch of the index tells of a segment: who looks may meet what lies in it before knowing that it is there',
    file: 'src/store/entry.ts',
    from: '  region.refresh();\n',
    to: '',
    test: 'test/store/segment-beside.test.ts',
    killer:
      'while another owner adds a segment and tags a part describe sees the state before or after',
  },
  {
    name: 'a look that does not know what it has taken over itself',
    why: 'whoever finds a context in motion catches up in the middle of a look: what it saw of the tables before is of before',
    file: 'src/store/follower.ts',
    from: 'return !this.catchUp() && this.#takenOver === takenOver;',
    to: 'return !this.catchUp();',
    test: 'test/store/list-beside.test.ts',
    killer:
      'while another owner lets the index grow list misses no context that is there all the while',
  },
  {
    name: 'a leak that is looked for in memory that stands still',
    why: 'others take memory and give it back while a pool is checked: a look that such a change ends does not find what the next one finds, and what is not in each counts for nothing',
    file: 'src/store/check.ts',
    from: '    },\n    () => undefined,\n  );',
    to: '    },\n  );',
    test: 'test/store/check-beside.test.ts',
    killer:
      'a check while another owner gives a large run back finds what is wrong, and nothing else',
  },
];
