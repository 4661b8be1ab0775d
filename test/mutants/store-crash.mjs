/** What the store may not do without where it may die at any access. */
const seen = 'test/crash/seen.crash.test.ts';
const crash = 'test/crash/pool.crash.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const storeCrashes = [
  {
    name: 'kept after live: payload',
    why: 'recovery frees what is not kept, so everything is kept before the entry is live',
    file: 'src/store/publish.ts',
    from: '  if (payload.ref !== 0) store.allocator.keep(payload.ref);\n',
    to: '',
    test: crash,
    killer: 'killed at every access put, new',
  },
  {
    name: 'kept after live: long key',
    why: 'the block of a long key is kept before the entry is live',
    file: 'src/store/publish.ts',
    from: 'if (keyRef !== 0) store.allocator.keep(keyRef);',
    to: '',
    test: crash,
    killer: 'killed at every access put with a long key',
  },
  {
    name: 'kept after live: tags',
    why: 'tag nodes are kept before the entry is live',
    file: 'src/store/publish.ts',
    from: `  keepTags(store, peek(words, at + field.tagRef));
  // The commit: recovery takes live entries for the truth, and of two with one key the higher version.
  storeWord(words, at + field.state, (peek(words, at + field.state) & ~stateMask) | state.live);`,
    to: `  storeWord(words, at + field.state, (peek(words, at + field.state) & ~stateMask) | state.live);
  keepTags(store, peek(words, at + field.tagRef));`,
    test: crash,
    killer: 'killed at every access put with tags',
  },
  {
    name: 'the old part goes before the new one is live',
    why: 'a crash between the two must leave one of them',
    file: 'src/store/publish.ts',
    from: `  storeWord(words, at + field.state, (peek(words, at + field.state) & ~stateMask) | state.live);
  payload.ref = 0;`,
    to: `  if (old !== 0) retireReplaced(store, old, payload.sizeBytes, spec.pinned);
  storeWord(words, at + field.state, (peek(words, at + field.state) & ~stateMask) | state.live);
  payload.ref = 0;`,
    test: crash,
    killer: 'killed at every access put, replacing',
  },
  {
    name: 'an append that commits before its slot is written',
    why: 'the selector is the commit: what it selects is whole by then',
    file: 'src/store/commit.ts',
    from: `  poke(words, slot + commitSlot.ref, payload);
  poke(words, slot + commitSlot.length, sizeBytes);
  poke(words, slot + commitSlot.crc32, crc32);
  storeWord(words, at + field.selector, selector);`,
    to: `  storeWord(words, at + field.selector, selector);
  poke(words, slot + commitSlot.ref, payload);
  poke(words, slot + commitSlot.length, sizeBytes);
  poke(words, slot + commitSlot.crc32, crc32);`,
    test: crash,
    killer: 'killed at every access append in place',
  },
  {
    name: 'an append into the slot that is read',
    why: 'only the idle slot may be written: the other one is committed',
    file: 'src/store/commit.ts',
    from: '  const slot = idle(words, at);',
    to: '  const slot = idle(words, at) === at + field.commit ? at + field.commit + 19 : at + field.commit;',
    test: crash,
    killer: 'killed at every access append in place',
  },
  {
    name: 'a secret that is not wiped',
    why: 'a sensitive part is zeroed before its block is free',
    file: 'src/store/remove.ts',
    from: 'if ((traits & trait.sensitive) !== 0) wipe(store, payload, blockBytes);',
    to: '',
    test: crash,
    killer: 'killed at every access delete a secret part',
  },
  {
    name: 'a deletion without intent',
    why: 'of a context all parts go, or none: recovery must know of the deletion',
    file: 'src/store/contexts.ts',
    from: 'storeWord(words, ownerWord(slot, ownerSlot.intentOp), intent.deleteContext);',
    to: '',
    test: crash,
    killer: 'killed at every access delete a context',
  },
  {
    name: 'an intent that names the first part to go',
    why: 'the entry that the intent names keeps the key until the end',
    file: 'src/store/contexts.ts',
    from: 'for (const ref of refs.toReversed()) retire',
    to: 'for (const ref of refs) retire',
    test: crash,
    killer: 'killed at every access delete a context with a long id',
  },
  {
    name: 'an intent before its entry',
    why: 'the entry is written before the word that makes the intent count',
    file: 'src/store/contexts.ts',
    from: `  poke(words, ownerWord(slot, ownerSlot.intentEntry), refs[0] as Ref);
  storeWord(words, ownerWord(slot, ownerSlot.intentOp), intent.deleteContext);`,
    to: `  storeWord(words, ownerWord(slot, ownerSlot.intentOp), intent.deleteContext);
  poke(words, ownerWord(slot, ownerSlot.intentEntry), refs[0] as Ref);`,
    test: crash,
    killer: 'killed at every access delete a second context',
  },
  {
    name: 'an intent that is never over',
    why: 'the entry becomes part of another context, which a later recovery must not delete',
    file: 'src/store/contexts.ts',
    from: `    storeWord(words, ownerWord(slot, ownerSlot.intentOp), intent.none);
  }`,
    to: '  }',
    test: crash,
    killer: 'killed at every access delete a second context',
  },
  {
    name: 'a chunk of entries that is not kept',
    why: 'a chunk is kept before the superblock names it',
    file: 'src/store/entries.ts',
    from: `    this.#allocator.keep(ref);
    try {
      this.#region.commit({ rootEntries: ref });`,
    to: `    try {
      this.#region.commit({ rootEntries: ref });
      this.#allocator.keep(ref);`,
    test: crash,
    killer: 'killed at every access put that adds entries',
  },
  {
    name: 'recovery that keeps the lower version',
    why: 'of two live entries with one key the later one counts',
    file: 'src/store/recover.ts',
    from: 'if (versionOf(otherWords, otherAt) > versionOf(words, at)) {',
    to: 'if (versionOf(otherWords, otherAt) < versionOf(words, at)) {',
    test: seen,
    killer:
      'what was seen before the writer died while it replaces the part is there after recovery',
  },
  {
    name: 'recovery that leaves what nobody holds',
    why: 'published memory that no live entry reaches is freed',
    file: 'src/store/recover.ts',
    from: 'const unreachable = allocator.sweep(reachable(store));',
    to: 'const unreachable = { freedBlocks: 0, freedBytes: 0 };',
    test: crash,
    killer: 'killed at every access put, replacing',
  },
  {
    name: 'an opened pool that still counts as closed',
    why: 'from the first change on the pool must be recovered',
    file: 'src/store/epoch.ts',
    from: 'region.commit({ clean: false, epoch,',
    to: 'region.commit({ epoch,',
    test: 'test/store/many-owners.test.ts',
    killer:
      'owners of one store that open what was closed say so at once: from then on it is in order only when they close it',
  },
  {
    name: 'an expiry that counts before its time is written',
    why: 'the trait is set last, or a part expires at a time that nobody gave',
    file: 'src/store/entry.ts',
    from: `  poke(words, at + field.expiresLow, atMs | 0);
  poke(words, at + field.expiresHigh, high);
  poke(words, at + field.traits, traits | trait.expiring);`,
    to: `  poke(words, at + field.traits, traits | trait.expiring);
  poke(words, at + field.expiresLow, atMs | 0);
  poke(words, at + field.expiresHigh, high);`,
    test: crash,
    killer: 'killed at every access expire, for the first time',
  },
  {
    name: 'kept after live: replaced in place',
    why: 'the new bytes are kept before the selector names them',
    file: 'src/store/replace.ts',
    from: `  store.allocator.keep(payload.ref);
  commitBytes(words, at, payload.ref, payload.sizeBytes, payload.crc32 ?? 0);`,
    to: `  commitBytes(words, at, payload.ref, payload.sizeBytes, payload.crc32 ?? 0);
  store.allocator.keep(payload.ref);`,
    test: crash,
    killer: 'killed at every access put, replacing in place',
  },
  {
    name: 'bytes that were replaced and are still named',
    why: 'the idle slot forgets a block before it is free, or a crash frees it twice',
    file: 'src/store/parked.ts',
    from: `  poke(words, idle(words, at) + commitSlot.ref, 0);
  const traits`,
    to: `  const traits`,
    test: crash,
    killer: 'killed at every access put, replacing in place again',
  },
  {
    name: 'a move to a block that is not kept',
    why: 'recovery frees what was allocated and not kept',
    file: 'src/store/move.ts',
    from: `  store.allocator.keep(to);
`,
    to: ``,
    test: crash,
    killer: 'killed at every access compaction',
  },
];
