/** What regions may not do without. */

const superblock = 'test/memory/superblock.test.ts';
const region = 'test/memory/region.test.ts';
const damage = 'test/memory/mapped-damage.test.ts';
const owners = 'test/memory/many-owners.test.ts';
const moments = 'test/memory/many-moments.test.ts';
const slots = 'test/memory/owners.test.ts';
const interleaved = 'test/memory/lock-interleaved.test.ts';
const lock = 'test/memory/lock.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const memory = [
  {
    name: 'a superblock without checksum',
    why: 'damage to a copy is seen',
    file: 'src/memory/superblock.ts',
    from: 'if (image[superblockField.checksum] !== superblockChecksum(image))',
    to: 'if (false)',
    test: superblock,
    killer:
      'superblock survives every bit flip of either copy, and notices every bit flip of the only copy',
  },
  {
    name: 'the superblock with the lower sequence',
    why: 'the higher sequence counts',
    file: 'src/memory/superblock.ts',
    from: 'const best = sequenceOf(b) > sequenceOf(a) ? b : a;',
    to: 'const best = sequenceOf(b) < sequenceOf(a) ? b : a;',
    test: superblock,
    killer: 'superblock takes the valid copy with the higher sequence',
  },
  {
    name: 'a superblock that overwrites its sound copy',
    why: 'the copy that is damaged or older is written first',
    file: 'src/memory/superblock.ts',
    from: 'const first = a === b ? ((block.sequence & 1) as 0 | 1) : a < b ? 0 : 1;',
    to: 'const first = 0;',
    test: superblock,
    killer: 'superblock never overwrites the only sound copy first',
  },
  {
    name: 'a superblock in one copy',
    why: 'damage to one copy must not roll the pool back',
    file: 'src/memory/superblock.ts',
    from: '  writeCopy(words, first === 0 ? 1 : 0, image);\n',
    to: '',
    test: superblock,
    killer:
      'superblock survives every bit flip of either copy, and notices every bit flip of the only copy',
  },
  {
    name: 'a copy that keeps its magic while it is written',
    why: 'a torn copy is no copy, for certain',
    file: 'src/memory/superblock.ts',
    from: '  store(words, first + superblockField.magic, 0);\n',
    to: '',
    test: superblock,
    killer: 'superblock is torn for certain, not only by its checksum',
  },
  {
    name: 'a copy whose magic comes first',
    why: 'the magic is the last word of a copy',
    file: 'src/memory/superblock.ts',
    from: 'for (let i = superblockField.version; i < superblockWords; i += 1)\n    store(words, first + i, image[i] as number);\n  store(words, first + superblockField.magic, superblockMagic);',
    to: 'store(words, first + superblockField.magic, superblockMagic);\n  for (let i = superblockField.version; i < superblockWords; i += 1)\n    store(words, first + i, image[i] as number);',
    test: superblock,
    killer: 'superblock is torn for certain, not only by its checksum',
  },
  {
    name: 'a superblock of any version',
    why: 'an unknown format is refused',
    file: 'src/memory/superblock.ts',
    from: 'if (block.version !== formatVersion)',
    to: 'if (false)',
    test: superblock,
    killer: 'superblock tells a stranger, damage and an unknown format apart',
  },
  {
    name: 'a segment that counts before it is prepared',
    why: 'whoever follows finds every segment that is counted',
    file: 'src/memory/backed-region.ts',
    from: 'writeSegmentHeader(segment.words, number, sizeBytes, poolUuid);\n      format(segment);',
    to: 'this.#replace({ segmentCount: number + 1 });\n      writeSegmentHeader(segment.words, number, sizeBytes, poolUuid);\n      format(segment);',
    test: moments,
    killer:
      "an owner of a 'shared' region who dies at any access as it adds a segment leaves a region that another adds a segment",
  },
  {
    name: 'a segment header without checksum',
    why: 'damage to a header is seen before its size is believed',
    file: 'src/memory/segment-header.ts',
    from: "if (image[segmentHeader.checksum] !== checksumOf(image)) corrupt('checksum does not match');",
    to: '',
    test: damage,
    killer: 'damage is reported before anything is mapped: a segment header has another size',
  },
  {
    name: 'a segment of another pool',
    why: 'a header names its pool',
    file: 'src/memory/segment-header.ts',
    from: "corrupt('belongs to another pool');",
    to: '{}',
    test: damage,
    killer: 'damage is reported before anything is mapped: a segment is of another pool',
  },
  {
    name: 'a segment with another number',
    why: 'a header names its number',
    file: 'src/memory/segment-header.ts',
    from: 'if (image[segmentHeader.number] !== number)',
    to: 'if (false)',
    test: damage,
    killer: 'damage is reported before anything is mapped: a segment has another number',
  },
  {
    name: 'a file that is shorter than its header says',
    why: 'touching what is behind its end would fault',
    file: 'src/memory/pool-files.ts',
    from: 'if (status.sizeBytes !== sizeBytes)',
    to: 'if (false)',
    test: damage,
    killer: 'damage is reported before anything is mapped: a segment is cut short by a page',
  },
  {
    name: 'a new pool that has its name before it is whole',
    why: 'a segment 0 without a superblock is always damage',
    file: 'src/memory/pool-files.ts',
    from: '    writeFully(files, fd, new Uint8Array(prefix.buffer), 0);\n    files.sync(fd);\n    files.rename(unfinishedPath(folder), segmentPath(folder, 0));',
    to: '    files.rename(unfinishedPath(folder), segmentPath(folder, 0));\n    writeFully(files, fd, new Uint8Array(prefix.buffer), 0);\n    files.sync(fd);',
    test: 'test/memory/mapped-full.test.ts',
    killer: "'EIO' at the n-th call of creation changes nothing (ever after: false)",
  },
  {
    name: 'two owners of one slot',
    why: 'only the lock says who owns',
    file: 'src/memory/mapped.ts',
    from: 'if (!lockFirstSlot(system, folder, lockFd, patience)) {',
    to: 'if (!lockFirstSlot(system, folder, lockFd, patience) && folder === "") {',
    test: 'test/memory/mapped.test.ts',
    killer: 'reopening gives the first slot to one owner at a time',
  },
  {
    name: 'a segment that is followed by its name',
    why: 'a dropped and added segment has the same name, and is another file',
    file: 'src/memory/mapped-backing.ts',
    from: 'return this.#system.files.status(path).id === this.#ids[segment.number];',
    to: 'return this.#system.files.status(path).id !== undefined;',
    test: region,
    killer: "'mapped' region shows added and dropped segments to others, and new ones zeroed",
  },
  {
    name: 'a lock that is stolen from the living',
    why: 'only the dead lose their locks',
    file: 'src/memory/lock.ts',
    from: '} else if (!wait.lives(holder) && compareExchange(words, at, holder, token) === holder) {',
    to: '} else if (compareExchange(words, at, holder, token) === holder) {',
    test: lock,
    killer:
      'a lock is waited for as long as was said, with pauses that grow, while its holder lives',
  },
  {
    name: 'a lock with two heirs',
    why: 'of those who saw the holder dead, one inherits',
    file: 'src/memory/lock.ts',
    from: 'compareExchange(words, at, holder, token) === holder) {',
    to: '(store(words, at, token), true)) {',
    test: interleaved,
    killer: 'two heirs of one lock inherit it once, whoever is interrupted where',
  },
  {
    name: 'a lock that two take',
    why: 'a free lock is taken by one exchange',
    file: 'src/memory/lock.ts',
    from: 'return compareExchange(words, at, 0, token) === 0;',
    to: 'return load(words, at) === 0 && (store(words, at, token), true);',
    test: interleaved,
    killer:
      'an owner who is interrupted at any access never gets a lock that the other took and keeps',
  },
  {
    name: 'a token that outlives its owner',
    why: 'a slot is taken again with a higher epoch',
    file: 'src/memory/owners.ts',
    from: 'store(words, at, (load(words, at) + 1) & maxEpoch);',
    to: 'store(words, at, load(words, at) & maxEpoch);',
    test: lock,
    killer: 'a token changes with every taking of its slot, and belongs to the living only',
  },
  {
    name: 'a holder who is known by his slot alone',
    why: 'the slot may have been taken again since',
    file: 'src/memory/lock.ts',
    from: 'return tokenOfSlot(region, slot) === token && region.ownerLives(slot);',
    to: 'return region.ownerLives(slot);',
    test: lock,
    killer: 'a token changes with every taking of its slot, and belongs to the living only',
  },
  {
    name: 'a segment that is removed before it is uncounted',
    why: 'who dies in between must leave no segment counted that is not there',
    file: 'src/memory/backed-region.ts',
    from: `      this.#replace({ segmentCount: last.number });
      this.#segments.pop();
      this.#backing.release(last);
      this.#backing.remove(last.number);`,
    to: `      this.#segments.pop();
      this.#backing.release(last);
      this.#backing.remove(last.number);
      this.#replace({ segmentCount: last.number });`,
    test: moments,
    killer:
      "an owner of a 'mapped' region who dies at any access as it drops a segment leaves a region that another commits",
  },
  {
    name: 'a region that is changed without its lock',
    why: 'two owners who change it at once would lose what one of them did',
    file: 'src/memory/backed-region.ts',
    from: "if (outcome === 'busy') {",
    to: "if (outcome === 'busy' && this.#words.length === 0) {",
    test: owners,
    killer:
      "the owners of a 'shared' region are told when another keeps the region to itself, and change nothing",
  },
  {
    name: 'a superblock that forgets what others committed',
    why: 'who has the lock changes the region as it is now, not as it was when it was opened',
    file: 'src/memory/backed-region.ts',
    from: 'else this.refresh();\n      return change();',
    to: 'return change();',
    test: owners,
    killer: "the owners of a 'shared' region commit on top of each other",
  },
  {
    name: 'a lock that is inherited as if nothing had been',
    why: 'what the dead were at is finished first',
    file: 'src/memory/backed-region.ts',
    from: "if (outcome === 'inherited') this.#repair();",
    to: "if (outcome === 'inherited') this.refresh();",
    test: moments,
    killer:
      "an owner of a 'shared' region who dies at any access as it drops a segment leaves a region that another commits",
  },
  {
    name: 'a heir who forgets the locks of segments',
    why: 'a segment that was being dropped or added is closed, and counted all the same',
    file: 'src/memory/backed-region.ts',
    from: `      if (load(segment.words, segmentLockWord) === lockClosed)
        store(segment.words, segmentLockWord, 0);`,
    to: '      if (segment === undefined) this.refresh();',
    test: moments,
    killer:
      "an owner of a 'shared' region who dies at any access as it adds a segment leaves a region that another commits",
  },
  {
    name: 'a segment that is dropped under another owner',
    why: 'who is at work in a segment has its lock',
    file: 'src/memory/backed-region.ts',
    from: 'if (!held && !tryLock(last.words, segmentLockWord, this.#token)) return false;',
    to: '',
    test: owners,
    killer: "the owners of a 'shared' region cannot drop a segment that another is at work in",
  },
  {
    name: 'a segment that others can lock before it counts',
    why: 'someone may still have a view of an earlier segment in the same memory',
    file: 'src/memory/backed-region.ts',
    from: '      store(segment.words, segmentLockWord, lockClosed);\n      writeSegmentHeader',
    to: '      store(segment.words, segmentLockWord, 0);\n      writeSegmentHeader',
    test: owners,
    killer:
      "the owners of a 'shared' region can take nothing from a segment that was dropped, whatever becomes of its memory",
  },
  {
    name: 'a dropped segment that can be locked',
    why: 'who has not heard of it must not work in it',
    file: 'src/memory/backed-region.ts',
    from: '      store(last.words, segmentLockWord, lockClosed);\n',
    to: '',
    test: owners,
    killer:
      "the owners of a 'shared' region can take nothing from a segment that was dropped, whatever becomes of its memory",
  },
  {
    name: 'a slot that is reclaimed twice',
    why: 'of two survivors one is faster: the other must look again when it has the slot',
    file: 'src/memory/backed-region.ts',
    from: `      if (this.#backing.hold === undefined ? state !== ownerAbandoned : state === ownerFree)
        return false;
`,
    to: '',
    test: slots,
    killer:
      "a slot of a 'shared' region is reclaimed once by two survivors, whoever is interrupted where",
  },
  {
    name: 'a slot that is free before it is cleared',
    why: 'nobody may take the slot, and write where the dead one did, before it was cleared',
    file: 'src/memory/backed-region.ts',
    from: `      clear();
      freeOwnerSlot(this.#words, slot);`,
    to: `      freeOwnerSlot(this.#words, slot);
      clear();`,
    test: slots,
    killer:
      "a slot of a 'shared' region stays abandoned when the survivor fails, and can be reclaimed again",
  },
  {
    name: 'a slot that is not called abandoned',
    why: 'its locks can be inherited while it is reclaimed: the state says that its owner is dead',
    file: 'src/memory/backed-region.ts',
    from: '      abandonOwnerSlot(this.#words, slot);\n',
    to: '',
    test: slots,
    killer: "a slot of a 'mapped' region lets its locks be inherited while it is being reclaimed",
  },
  {
    name: 'an abandoned slot that is taken',
    why: 'what the dead have left must be recovered first',
    file: 'src/memory/owners.ts',
    from: 'if (compareExchange(words, state, ownerFree, takenBy(who.tid)) !== ownerFree) continue;',
    to: 'const old = load(words, state);\n    if (old !== ownerFree && old !== ownerAbandoned) continue;\n    store(words, state, takenBy(who.tid));',
    test: slots,
    killer:
      "a slot of a 'shared' region that the dead have left is taken by nobody before it was reclaimed",
  },
  {
    name: 'a thread that dies before it is known',
    why: 'a slot names its thread from the moment on that it is taken',
    file: 'src/memory/owners.ts',
    from: 'if (!itsOwn && state !== takenBy(tid)) continue;',
    to: 'if (!itsOwn) continue;',
    test: slots,
    killer: 'the thread of a shared owner is known from the first moment on that it has a slot',
  },
  {
    name: 'a shared segment where its buffer begins',
    why: 'lines of it are to be lines of the cache, for owners beside each other not to share any',
    file: 'src/memory/shared.ts',
    from: 'granuleBytes - 16 : 0;',
    to: '0 : 0;',
    test: 'test/memory/shared.test.ts',
    killer: 'buffers have their segments where cache lines begin',
  },
];
