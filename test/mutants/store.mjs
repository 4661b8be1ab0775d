/** What the store may not do without. */
const interleaved = 'test/pool/interleaved.test.ts';
const followers = 'test/pool/interleaved-followers.test.ts';
const leases = 'test/pool/interleaved-leases.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const store = [
  {
    name: 'a reader that does not look again',
    why: 'after its lease bit is set, a reader must find the entry in the same life',
    file: 'src/store/store.ts',
    from: 'if (peek(words, at + field.state) !== this.#matchedState || this.follower.isBehind()) {',
    to: 'if (this.follower.isBehind()) {',
    test: interleaved,
    killer:
      'while the writer lets entries take the place of others get sees the state before or after',
  },
  {
    name: 'a second lease that ends with the first',
    why: 'an entry has a bit for a thread, however many leases that has',
    file: 'src/store/leases.ts',
    from: '      if (more > 0) {',
    to: '      if (more > 1) {',
    test: 'test/pool/leases.test.ts',
    killer: 'a lease is one of several on its part, which goes with the last of them',
  },
  {
    name: 'a reader that looks before it leases',
    why: 'the lease bit comes before the second look, or the writer retires and frees between the two',
    file: 'src/store/store.ts',
    from: `    this.leases.take(words, at);
    // After the atomic \`or\`, which no load crosses. What is behind may be the segment of the bytes: dropped, and made anew.
    if (peek(words, at + field.state) !== this.#matchedState || this.follower.isBehind()) {
      this.drop(ref);
      this.follower.catchUp();
      return 'changed';
    }`,
    to: `    if (peek(words, at + field.state) !== this.#matchedState || this.follower.isBehind()) {
      this.follower.catchUp();
      return 'changed';
    }
    this.leases.take(words, at);`,
    test: interleaved,
    killer:
      'while the writer lets entries take the place of others get sees the state before or after',
  },
  {
    name: 'a reader that reads a torn commit slot',
    why: 'two appends reuse the slot that is being read: the selector is read again after it',
    file: 'src/store/store.ts',
    from: 'if (loadInOrder(words, at + field.selector) === selector) return selector;',
    to: 'return selector;',
    test: interleaved,
    killer: 'while the writer appends twice get sees the state before or after',
  },
  {
    name: 'a checksum taken for that of other bytes',
    why: 'a reader verifies bytes and checksum of one moment',
    file: 'src/store/store.ts',
    from: 'const isSame = load(words, at + field.selector) === selector;',
    to: 'const isSame = true;',
    test: 'test/store/suspect.test.ts',
    killer: 'are not taken for corrupt while the writer appends',
  },
  {
    name: 'parts that are not verified after a crash',
    why: 'parts of an epoch before the crash are suspect until their checksum has been compared',
    file: 'src/store/store.ts',
    from: 'if (((peek(words, at + field.checkedEpoch) - this.#trustedEpoch) | 0) < 0) {',
    to: 'if (false) {',
    test: 'test/store/suspect.test.ts',
    killer: 'stay suspect when an append extends them in place',
  },
  {
    name: 'a moved part that counts as verified',
    why: 'bytes that were only copied stay as suspect as they were',
    file: 'src/store/append.ts',
    from: '    checkedEpoch: peek(words, at + field.checkedEpoch),',
    to: '    checkedEpoch: undefined,',
    test: 'test/store/suspect.test.ts',
    killer: 'stay suspect when an append moves them to a larger block',
  },
  {
    name: 'versions that stand still after an append',
    why: 'what is written next must be above the version that an append has reached',
    file: 'src/store/commit.ts',
    from: 'if (version > readCell(store.control, cell)) writeCell(store.control, cell, version);',
    to: '',
    test: 'test/pool/versions.test.ts',
    killer: 'versions rise while the clock stands still',
  },
  {
    name: 'a leased part that is freed',
    why: 'retired bytes wait for their last lease',
    file: 'src/store/remove.ts',
    from: 'if (store.isLeased(words, at)) store.retired.add(ref, words, at);\n  else dispose(store, ref, words, at);',
    to: 'dispose(store, ref, words, at);',
    test: leases,
    killer: 'a lease that is taken while the writer replaces the part holds what it shows',
  },
  {
    name: 'lease bits that are looked at before a part is retired',
    why: 'retire first, look afterwards: a reader that leased in between must be seen',
    file: 'src/store/remove.ts',
    from: `  setRetired(store, ref, words, at, reason);
  try {
    unlink(store, ref, words, at);
    settle(store, ref, words, at);`,
    to: `  const isLeased = store.isLeased(words, at);
  setRetired(store, ref, words, at, reason);
  try {
    unlink(store, ref, words, at);
  if (isLeased) settle(store, ref, words, at);
  else {
    dropTags(store, words, at);
    dispose(store, ref, words, at);
  }`,
    test: leases,
    killer: 'a lease that is taken while the writer deletes the part holds what it shows',
  },
  {
    name: 'entries that live the same life again',
    why: 'every state of every life has its own word, or a reader takes another part for the one it found',
    file: 'src/store/entry.ts',
    from: 'return ((stateWord & ~stateMask) + sequenceStep) | newState;',
    to: 'return (stateWord & ~stateMask) | newState;',
    test: interleaved,
    killer:
      'while the writer lets entries take the place of others get sees the state before or after',
  },
  {
    name: 'a removal that cuts a probe short',
    why: 'a slot inside a probe becomes a tombstone, never empty',
    file: 'src/store/ref-table.ts',
    from: 'if (peek(words, base + (((slot + 1) & mask) << 1) + 1) !== 0) {',
    to: 'if (false) {',
    test: 'test/model/pool.model.test.ts',
    killer: 'against an oracle a pool with room, closed, crashed and opened again',
    brief: true,
  },
  {
    name: 'an index that is searched before what it grew from',
    why: 'old before current: what moves in between is never missed',
    file: 'src/store/store.ts',
    from: `    const ref = old === undefined ? 0 : this.#findIn(old);
    return ref === 0 ? this.#findIn(current) : ref;`,
    to: `    const ref = this.#findIn(current);
    return ref === 0 && old !== undefined ? this.#findIn(old) : ref;`,
    test: interleaved,
    killer: 'while the writer moves the part to a larger index get sees the state before or after',
  },
  {
    name: 'a slot that is emptied before it has moved',
    why: 'what moves is in the larger table before it leaves the smaller one',
    file: 'src/store/ref-index.ts',
    from: `      current.insert(old.tagAt(slot), ref);
      old.removeAt(slot);`,
    to: `      const tag = old.tagAt(slot);
      old.removeAt(slot);
      current.insert(tag, ref);`,
    test: followers,
    killer:
      'a thread that looks while the writer moves the part to a larger index looks again before every access, and sees one state after the other',
  },
  {
    name: 'a growth that nobody is told of',
    why: 'joined readers see from the epoch of the index that their tables are out of date',
    file: 'src/store/ref-index.ts',
    from: '    this.#region.commit(roots);\n    this.#announce();',
    to: '    this.#region.commit(roots);',
    test: interleaved,
    killer: 'while the writer grows the index get sees the state before or after',
  },
  {
    name: 'a growth that is announced before it counts',
    why: 'who looks at the announcement must find the new roots',
    file: 'src/store/ref-index.ts',
    from: '    this.#region.commit(roots);\n    this.#announce();',
    to: '    this.#announce();\n    this.#region.commit(roots);',
    test: followers,
    killer:
      'a thread that looks while the writer begins to grow the index sees one state after the other, and in the end the last one',
  },
  {
    name: 'new entries that nobody is told of',
    why: 'joined readers see from the epoch that their list of chunks is out of date',
    file: 'src/store/entries.ts',
    from: "    this.#announce(); // the others' lists of chunks are out of date\n",
    to: '',
    test: 'test/pool/followers.test.ts',
    killer: 'a joined reader knows the whole context when only the entries have grown',
  },
  {
    name: 'recovery that trusts what was written before',
    why: 'after a crash every part is verified at its first get',
    file: 'src/store/recover.ts',
    from: 'begin(store, true);',
    to: 'begin(store, false);',
    test: 'test/store/suspect.test.ts',
    killer: 'stay suspect when an append extends them in place',
  },
  {
    name: 'a record of two moments',
    why: 'what is told of a part is read while its entry stands still',
    file: 'src/store/stable.ts',
    from: 'return stateOf(store, ref) === life ? seen : undefined;',
    to: 'return seen;',
    test: interleaved,
    killer:
      'while the writer lets entries take the place of others describe that must look again sees the state before or after',
  },
  {
    name: 'a record with half an append',
    why: 'an append changes no state: the selector is compared too',
    file: 'src/store/stable.ts',
    from: 'return load(words, at) === before ? seen : undefined;',
    to: 'return seen;',
    test: interleaved,
    killer:
      'while the writer appends in place describe that must look again sees the state before or after',
  },
  {
    name: 'a context that is walked once',
    why: 'the same entries are met twice, or the walk was led astray',
    file: 'src/store/context-chain.ts',
    from: 'if (second.isSound && isSame(first.met, second.met)) return seen;',
    to: 'if (second.isSound) return seen;',
    test: interleaved,
    killer:
      'while the writer deletes the context and makes it anew context that must look again sees the state before or after',
  },
  {
    name: 'a context of two moments',
    why: 'an append changes no state: who sees it must see what was done before it, too',
    file: 'src/store/context-chain.ts',
    from: 'met.push(ref, life, load(words, at + field.selector));',
    to: 'met.push(ref, life, 0);',
    test: 'test/pool/interleaved-often.test.ts',
    killer:
      'a context is of one moment, whenever the writer appends to another part, then the one, while it is looked at again',
  },
  {
    name: 'a list that misses a context whose head changes',
    why: 'a slot of the index is looked at again while another head is put there',
    file: 'src/store/list.ts',
    from: 'if (id !== undefined && table.refAt(slot) === ref) return { id, ref };',
    to: 'return id === undefined ? undefined : { id, ref };',
    test: interleaved,
    killer:
      'while the writer deletes the head of the context list that must look again sees the state before or after',
  },
  {
    name: 'a clean pool that was not written to the end',
    why: 'the machine went down since: what the disk lost is found by recovery only',
    file: 'src/store/open.ts',
    from: 'return region.superblock.clean && region.superblock.bootId === region.bootId;',
    to: 'return region.superblock.clean;',
    test: 'test/store/boot.test.ts',
    killer: 'a pool that was closed in order is recovered during another boot',
  },
];
