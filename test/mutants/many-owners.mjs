/** What owners of one region may not do without: locks, slots, growth, and memory that is given back. */

const owners = 'test/memory/many-owners.test.ts';
const moments = 'test/memory/many-moments.test.ts';
const slots = 'test/memory/owners.test.ts';
const lock = 'test/memory/lock.test.ts';
const giving = 'test/memory/giving-back.test.ts';
const besideRecovery = 'test/alloc/beside-recovery.test.ts';
/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const manyOwners = [
  {
    name: 'a closed lock that is inherited',
    why: 'nobody holds it, and nobody may',
    file: 'src/memory/lock.ts',
    from: 'if (holder === token || holder === lockClosed) return',
    to: 'if (holder === token) return',
    test: owners,
    killer:
      "the owners of a 'shared' region can take nothing from a segment that was dropped, whatever becomes of its memory",
  },
  {
    name: 'a wait without end',
    why: 'a stopped process must not hang another',
    file: 'src/memory/lock.ts',
    from: "if (!(leftMs > 0)) return 'busy';",
    to: "if (pauseMs > 1e9) return 'busy';",
    test: lock,
    killer:
      'a lock is waited for as long as was said, with pauses that grow, while its holder lives',
  },
  {
    name: 'a lock that its owner waits for',
    why: 'an owner that has the lock already would wait for itself, or inherit from itself',
    file: 'src/memory/lock.ts',
    from: 'if (holder === token || holder === lockClosed) return',
    to: 'if (holder === lockClosed) return',
    test: lock,
    killer: 'a lock that an owner has already is busy at once for itself',
  },
  {
    name: 'a lock whose holder is asked after once',
    why: 'the holder may die while others wait',
    file: 'src/memory/lock.ts',
    from: '} else if (!wait.lives(holder) &&',
    to: '} else if (pauseMs === firstPauseMs && !wait.lives(holder) &&',
    test: lock,
    killer: 'a lock is inherited when its holder dies meanwhile',
  },
  {
    name: 'a damaged lock that nobody can inherit',
    why: 'a token of no slot belongs to nobody',
    file: 'src/memory/lock.ts',
    from: 'if (slot < 0 || slot >= region.superblock.ownersMax) return false;',
    to: 'if (slot < 0) return false;',
    test: lock,
    killer: 'a token of no slot is nobody',
  },
  {
    name: 'a new segment that opens before it counts',
    why: 'whoever takes the lock through an earlier view must find that the region has changed',
    file: 'src/memory/backed-region.ts',
    from: '    this.#replace({ segmentCount: number + 1 });\n',
    to: '    store(segment.words, segmentLockWord, 0);\n    this.#replace({ segmentCount: number + 1 });\n',
    test: owners,
    killer:
      "the owners of a 'shared' region can take nothing from a new segment in old memory before it counts",
  },
  {
    name: 'a dropped segment that is closed after it has gone',
    why: 'who dies in between leaves a lock that can be inherited, of a segment that is not counted',
    file: 'src/memory/backed-region.ts',
    from: `      store(last.words, segmentLockWord, lockClosed);
      this.#replace({ segmentCount: last.number });`,
    to: `      this.#replace({ segmentCount: last.number });
      store(last.words, segmentLockWord, lockClosed);`,
    test: owners,
    killer:
      "the owners of a 'shared' region can take nothing from a segment that does not count any more, though its last owner died",
  },
  {
    name: 'a segment that is dropped though it is not the last any more',
    why: 'another owner may have added one',
    file: 'src/memory/backed-region.ts',
    from: 'if (this.#segments.at(-1) !== last) return false;',
    to: '',
    test: owners,
    killer:
      "the owners of a 'shared' region drop the last segment only if it is the last that they know",
  },
  {
    name: 'an heir who leaves one copy of the superblock',
    why: 'owners look at copy A alone to see whether anything was committed',
    file: 'src/memory/backed-region.ts',
    from: '    writeSuperblock(this.#words, { ...block, sequence: block.sequence + 1 });\n',
    to: '    if (block.sequence < 0) writeSuperblock(this.#words, block);\n',
    test: moments,
    killer:
      "an owner of a 'shared' region who dies at any access as it commits leaves a region that another commits",
  },
  {
    name: 'a growth that counts others\u2019 segments as its own',
    why: 'who waited for the lock takes over what others have added, instead of adding one more',
    file: 'src/memory/backed-region.ts',
    from: 'this.#locked(() => this.#segments.length > known || this.#add(format))',
    to: 'this.#locked(() => known < 0 || this.#add(format))',
    test: owners,
    killer: "the owners of a 'shared' region grow it in turn, and take over what others have added",
  },
  {
    name: 'a slot that lives while it is reclaimed',
    why: 'the survivor holds the lock of the slot, which says nothing of its owner any more',
    file: 'src/memory/backed-region.ts',
    from: 'if (this.#stateOf(slot) !== ownerLive) return false;',
    to: '',
    test: slots,
    killer: "a slot of a 'mapped' region lets its locks be inherited while it is being reclaimed",
  },
  {
    name: 'a living slot of a shared region that is reclaimed',
    why: 'there, only the state says who is dead',
    file: 'src/memory/backed-region.ts',
    from: 'this.#backing.hold === undefined ? state !== ownerAbandoned : state === ownerFree',
    to: 'state === ownerFree',
    test: slots,
    killer: "a slot of a 'shared' region is not reclaimed from the living, nor from oneself",
  },
  {
    name: 'a slot that is given back from its front',
    why: 'the state is the last word of it: from then on the slot is another owner\u2019s',
    file: 'src/memory/owners.ts',
    from: `  for (const field of [
    ownerSlot.opened,`,
    to: `  for (const field of [
    ownerSlot.state,
    ownerSlot.opened,`,
    test: slots,
    killer:
      'who takes a slot of a shared region has it to itself from then on, though its last owner is just leaving',
  },
  {
    name: 'a slot whose epoch starts again',
    why: 'tokens of earlier owners would be those of later ones',
    file: 'src/memory/owners.ts',
    from: '    ownerSlot.pid,\n    ownerSlot.state,',
    to: '    ownerSlot.pid,\n    ownerSlot.epoch,\n    ownerSlot.state,',
    test: slots,
    killer: "a slot of a 'shared' region has a higher epoch each time that it is taken",
  },
  {
    name: 'a reclaimed slot that is free before it is empty',
    why: 'the state is the last word of it: from then on the slot is another owner\u2019s',
    file: 'src/memory/owners.ts',
    from: '  for (const field of [',
    to: '  store(words, ownerWord(slot, ownerSlot.state), ownerFree);\n  for (const field of [',
    test: slots,
    killer:
      'who takes a slot of a shared region has it to itself from then on, though it is just being reclaimed',
  },
  {
    name: 'an owner who lives before it has a name',
    why: 'its thread may end between the two, and would never be found',
    file: 'src/memory/owners.ts',
    from: `    introduce(words, slot, who);
    store(words, state, ownerLive);`,
    to: `    store(words, state, ownerLive);
    introduce(words, slot, who);`,
    test: slots,
    killer: 'the thread of a shared owner is known from the first moment on that it has a slot',
  },
  {
    name: 'a thread whose end abandons the slots of others',
    why: 'a slot belongs to the thread that it names',
    file: 'src/memory/owners.ts',
    from: 'state === ownerLive && load(words, ownerWord(slot, ownerSlot.tid)) === tid;',
    to: 'state === ownerLive && tid > 0;',
    test: slots,
    killer:
      'the thread of a shared owner has its slots abandoned when it is said to have ended, and nobody else has',
  },
  {
    name: 'an opener who does not wait for the survivor of slot 0',
    why: 'a slot that is being reclaimed is held, and not in use',
    file: 'src/memory/mapped.ts',
    from: 'if (look >= busyLooks && ownerPid(system.files, folder) !== undefined) return false;',
    to: 'if (look >= busyLooks) return false;',
    test: slots,
    killer: 'slot 0 is waited for while a survivor reclaims it from its dead owner',
  },
  {
    name: 'a buffer that counts as wiped before it is',
    why: 'who dies over it leaves the next one to wipe all of it again',
    file: 'src/memory/segment-header.ts',
    from: '  if (touchedBytes > 0) {',
    to: '  store(words, firstWord + segmentHeader.touchedBytes, sizeBytes);\n  if (touchedBytes > 0) {',
    test: owners,
    killer:
      "the owners of a 'shared' region find old memory zero, wherever one died who was wiping it",
  },
  {
    name: 'a buffer that is not wiped',
    why: 'a new segment is all zero, whoever used its memory before',
    file: 'src/memory/segment-header.ts',
    from: '    zero(bytes, (segmentLockWord + 1) * 4, touchedBytes);\n',
    to: '',
    test: 'test/memory/shared.test.ts',
    killer:
      'buffers are all zero in a segment that is larger than the one before, whoever used them last',
  },
  {
    name: 'a private copy with the token of the dead',
    why: 'it would take the locks of the dead for its own, and wait for itself',
    file: 'src/memory/private-region.ts',
    from: '    raiseEpoch(words, this.ownerSlot);\n',
    to: '    if (words.length === 0) raiseEpoch(words, this.ownerSlot);\n',
    test: 'test/memory/private-region.test.ts',
    killer: 'inherits the locks that the dead have left',
  },
  {
    name: 'a hole in whatever file has the name now',
    why: 'a dropped and added segment has the same name, and holds what others put there',
    file: 'src/memory/pool-files.ts',
    from: 'files.status(fd).id === id ? use(fd) : undefined',
    to: 'files.status(fd).id !== undefined ? use(fd) : undefined',
    test: giving,
    killer: 'a mapped region never touches the file that took the place of a dropped segment',
  },
  {
    name: 'pages that are taken again though there is no room',
    why: 'touching them would be a fault',
    file: 'src/memory/pool-files.ts',
    from: 'if (isExhausted(error)) return false;',
    to: 'if (isExhausted(error)) return true;',
    test: giving,
    killer: 'a mapped region that cannot reserve pages again, for ENOSPC: false',
  },
  {
    name: 'a page that is given back with what its neighbour holds',
    why: 'only whole pages are given back: the range is rounded inward',
    file: 'src/memory/backed-region.ts',
    from: 'const from = Math.ceil(fromByte / pageBytes) * pageBytes;',
    to: 'const from = Math.floor(fromByte / pageBytes) * pageBytes;',
    test: giving,
    killer: 'a mapped region gives whole pages back, and takes them again',
  },
  {
    name: 'a page that is taken again in part',
    why: 'all that the range touches is reserved: it is rounded outward',
    file: 'src/memory/backed-region.ts',
    from: 'const sizeBytes = Math.ceil(toByte / pageBytes) * pageBytes - from;',
    to: 'const sizeBytes = Math.floor(toByte / pageBytes) * pageBytes - from;',
    test: giving,
    killer: 'a mapped region gives whole pages back, and takes them again',
  },
  {
    name: 'recovery that takes a run from one of the living',
    why: 'who claims a run labels it first: a label that is older than the head says nothing of who has claimed it',
    file: 'src/alloc/recover.ts',
    from: `    const head = table.loadHead(page);
    const owner = table.owner(page);`,
    to: `    const owner = table.owner(page);
    const head = table.loadHead(page);`,
    test: besideRecovery,
    killer: 'short runs of a dead owner that go with it are freed by one of two',
  },
  {
    name: 'recovery that takes a label from one of the living',
    why: 'a claimed run is found by its label when its owner dies',
    file: 'src/alloc/recover.ts',
    from: 'if (table.swapOwner(page, owner, nobody)) return;',
    to: 'table.setOwner(page, nobody);\n      if (head !== 0) return;',
    test: besideRecovery,
    killer: 'short runs of a dead owner are freed while it is recovered',
  },
];
