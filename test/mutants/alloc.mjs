/** What the allocator may not do without. */

const crash = 'test/alloc/crash.test.ts';
const interleaved = 'test/alloc/interleaved.test.ts';
const ownersInterleaved = 'test/alloc/owners.interleaved.test.ts';
const survivors = 'test/alloc/survivors.test.ts';
const programs = 'test/alloc/misuse-programs.test.ts';

/** @param {string} deed @param {string} reply */
const meanwhile = (deed, reply) => `while an owner '${deed}' another ${reply}`;
/** @param {string} deed @param {string} reply */
const dies = (deed, reply) =>
  `an owner who dies as it '${deed}' and another who ${reply} before it recovers it`;

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const alloc = [
  {
    name: 'a split that commits before its rest is written',
    why: 'who walks the page table finds the rest behind the new run',
    file: 'src/alloc/pages.ts',
    from: `    if (rest > 0) {
      this.setEnds(at + pages, rest, nobody);
      this.setHead(at + pages, packFree(absence, rest));
    }
    this.setEnds(at, pages, owner);
    this.setHead(at, head);`,
    to: `    this.setEnds(at, pages, owner);
    this.setHead(at, head);
    if (rest > 0) {
      this.setEnds(at + pages, rest, nobody);
      this.setHead(at + pages, packFree(absence, rest));
    }`,
    test: survivors,
    killer: dies('allocates metadata', 'does nothing'),
  },
  {
    name: 'a split that shortens the free run first',
    why: 'the head of what stays free is the commit: until then all of it is interior',
    file: 'src/alloc/pages.ts',
    from: `    this.setEnds(at, pages, owner);
    this.setHead(at, head);
    if (at > from) {`,
    to: `    if (at > from) this.setHead(from, packHead(stateFree, 0, 0, at - from));
    this.setEnds(at, pages, owner);
    this.setHead(at, head);
    if (at > from) {`,
    test: survivors,
    killer: dies('allocates a run', 'does nothing'),
  },
  {
    name: 'a merge that clears its right neighbour first',
    why: 'the longer head is written while the neighbour still has one',
    file: 'src/alloc/pages.ts',
    from: `    this.setEnds(first, length, nobody);
    if (length !== pages) this.setHead(first, packFree(absence, length));
    if (first !== page) this.setHead(page, stateInterior);
    if (rightPages !== 0) this.setHead(end, stateInterior);`,
    to: `    this.setEnds(first, length, nobody);
    if (rightPages !== 0) this.setHead(end, stateInterior);
    if (length !== pages) this.setHead(first, packFree(absence, length));
    if (first !== page) this.setHead(page, stateInterior);`,
    test: survivors,
    killer: dies('frees a long run beside a free one', 'does nothing'),
  },
  {
    name: 'a boundary tag that is believed',
    why: 'a tag may be stale: the head that it leads to says whether there is a free run of that length',
    file: 'src/alloc/pages.ts',
    from: 'return stateOf(head) === stateFree && lengthOf(head) === tail ? page - tail : 0;',
    to: 'return page - tail;',
    test: crash,
    killer: "'free a run between two in use' dies at every access",
  },
  {
    name: 'a remote free that tells nobody',
    why: 'the owner looks where there is news, and nowhere else',
    file: 'src/alloc/remote.ts',
    from: 'if (before === 0) messenger.tellOfWord(',
    to: 'if (before === bit) messenger.tellOfWord(',
    test: interleaved,
    killer: meanwhile('frees a block of another', 'does nothing'),
  },
  {
    name: 'a remote double free',
    why: 'a bit that is set already was freed by another owner',
    file: 'src/alloc/remote.ts',
    from: "  if ((before & bit) !== 0) fail('double_free', `reference ${ref} is free already`);\n",
    to: '',
    test: ownersInterleaved,
    killer: 'of kind 1, 64 bytes of slot 7 is freed by two at once, and once',
  },
  {
    name: 'a remote bit that is cleared before the block is taken back',
    why: 'a free must not be in the registers of an owner who may die',
    file: 'src/alloc/remote.ts',
    from: '  let remote = load(bits, at + remoteAt);\n',
    to: '  let remote = and(bits, at + remoteAt, 0);\n',
    test: survivors,
    killer: dies('collects what the other has freed', 'does nothing'),
  },
  {
    name: 'bits that are set while others are collected',
    why: 'who finds the word not empty tells nobody: the collector looks again',
    file: 'src/alloc/remote.ts',
    from: 'remote = and(bits, at + remoteAt, ~remote) & ~remote;',
    to: 'and(bits, at + remoteAt, ~remote);\n    remote = 0;',
    test: interleaved,
    killer: meanwhile('collects what the other has freed', 'frees what the other has'),
  },
  {
    name: 'a run that two claim',
    why: 'a live head is changed by one exchange',
    file: 'src/alloc/owner-paths.ts',
    from: 'if (table.swapHead(page, head, head & ~flagsOfRun)) break;',
    to: 'table.setHead(page, head & ~flagsOfRun);\n      break;',
    test: interleaved,
    killer:
      'two owners who free a long run of the other at once leave it free, and are told of each other where that can be known',
  },
  {
    name: 'a claim without a label',
    why: 'only the label says who has a claimed run: nobody would recover it',
    file: 'src/alloc/owner-paths.ts',
    from: '      if (!table.swapOwner(page, label, slot)) continue;\n',
    to: '',
    test: survivors,
    killer: dies('frees a long run of another', 'does nothing'),
  },
  {
    name: 'a block of its own that another has freed',
    why: 'an owner looks at remote bits too',
    file: 'src/alloc/pool-allocator.ts',
    from: 'if ((peek(bits, at) & ~peek(bits, at + layout.remoteAt) & bit) === 0) {',
    to: 'if ((peek(bits, at) & bit) === 0) {',
    test: programs,
    killer: "'shared, two owners' with blocks of 48 bytes double free is double_free",
  },
  {
    name: 'a free run that stays in its bin whatever its length',
    why: 'who looks for a long run finds it in the bin of its length',
    file: 'src/alloc/free-runs.ts',
    from: 'if (next === bin) return;',
    to: 'if (next > 0) return;',
    test: 'test/alloc/capacity.test.ts',
    killer: 'a segment of 4 MiB after frees in any order all of it is one run again',
  },
  {
    name: 'runs that were given back and are not merged',
    why: 'who has the lock merges what others marked',
    file: 'src/alloc/segment-runs.ts',
    from: `    if (peek(words, pendingGroupsWord) !== 0) this.#drain();
    unlock(words, segmentLockWord);
    while (loadInOrder(words, pendingGroupsWord) !== 0 && this.#tryLock()) {
      this.#drain();
      unlock(words, segmentLockWord);
    }`,
    to: '    if (pendingGroupsWord < 0) this.#drain();\n    unlock(words, segmentLockWord);',
    test: interleaved,
    killer: meanwhile('allocates a long run', 'frees a long run'),
  },
  {
    name: 'a segment that is inherited as it was left',
    why: 'what the dead holder was at is repaired first',
    file: 'src/alloc/segment-runs.ts',
    from: "if (outcome === 'taken') return this.#unlessGone();",
    to: "if (outcome !== 'busy') return this.#unlessGone();",
    test: survivors,
    killer: dies('allocates a run', 'does nothing'),
  },
  {
    name: 'a repair that keeps the old index',
    why: 'the index is a cache: it is made anew from the page table',
    file: 'src/alloc/repair.ts',
    from: '  mergeFree(view);\n  free.rebuild();',
    to: '  mergeFree(view);\n  void free;',
    test: survivors,
    killer: dies('allocates a run', 'allocates runs'),
  },
  {
    name: 'a repair that leaves stale heads',
    why: 'a head in the interior of a run would be taken for a run',
    file: 'src/alloc/repair.ts',
    from: 'if (table.head(inner) !== stateInterior) table.setHead(inner, stateInterior);',
    to: 'if (inner < page) table.setHead(inner, stateInterior);',
    test: survivors,
    killer: dies('allocates a run', 'does nothing'),
  },
  {
    name: 'recovery of runs of the living',
    why: 'only what dead owners have is recovered',
    file: 'src/alloc/recover.ts',
    from: 'if (!rules.isDead(owner)) return;',
    to: 'if (owner === nobody) return;',
    test: survivors,
    killer: dies('flushes', 'does nothing'),
  },
  {
    name: 'recovery of slabs of the living',
    why: 'only what dead owners have is recovered',
    file: 'src/alloc/recover.ts',
    from: '  if (rules.isDead(owner)) {\n    if (header === 0',
    to: '  if (owner !== nobody) {\n    if (header === 0',
    test: survivors,
    killer: dies('flushes', 'does nothing'),
  },
  {
    name: 'recovery that frees kept runs',
    why: 'what was kept outlives its owner',
    file: 'src/alloc/recover.ts',
    from: 'if ((head & headKept) !== 0) {\n      if (table.swapOwner',
    to: 'if (head === 0) {\n      if (table.swapOwner',
    test: survivors,
    killer: dies('flushes', 'does nothing'),
  },
  {
    name: 'recovery that frees kept blocks',
    why: 'what was kept outlives its owner',
    file: 'src/alloc/recover.ts',
    from: 'const lost = live & ~load(bits, at + keptAt) & ~remote;',
    to: 'const lost = live & ~remote;',
    test: survivors,
    killer: dies('flushes', 'does nothing'),
  },
  {
    name: 'recovery that forgets what others freed',
    why: 'a kept block with a remote bit is free: the dead owner had yet to notice',
    file: 'src/alloc/recover.ts',
    from: 'const taken = live & (lost | remote);',
    to: 'const taken = live & lost;',
    test: survivors,
    killer: dies('flushes', 'frees what the other has'),
  },
  {
    name: 'news that died with who had them',
    why: 'who set a remote bit may have died before it told the owner',
    file: 'src/alloc/recover.ts',
    from: '} else if (header !== 0) announceAgain(rules.region, view, page);',
    to: '}',
    test: survivors,
    killer: dies('frees a block of another', 'does nothing'),
  },
  {
    name: 'an orphan that keeps its dead owner',
    why: 'what is left of the dead is nobody’s, and announced',
    file: 'src/alloc/recover.ts',
    from: '  if (owner !== nobody) store(view.headers, at, packSlab(header & stackMask, nobody));\n',
    to: '',
    test: survivors,
    killer: dies('flushes', 'does nothing'),
  },
  {
    name: 'an allocation that nobody counted',
    why: 'counters are exact after any death',
    file: 'src/alloc/recover-owner.ts',
    from: '    if (!isDead(slot)) continue;\n',
    to: '    if (!isDead(slot) || slot > 0) continue;\n',
    test: survivors,
    killer: dies('allocates a run', 'does nothing'),
  },
  {
    name: 'an allocation that is counted for the dead',
    why: 'what the dead did not come to make another may have made since',
    file: 'src/alloc/recover-owner.ts',
    from: '(ref) => lookup.ownerOf(ref) === slot,',
    to: '(ref) => lookup.ownerOf(ref) >= 0,',
    test: survivors,
    killer: dies('allocates metadata', 'allocates metadata'),
  },
  {
    name: 'counts that are settled over half a split',
    why: 'the locks of the dead are inherited, and what they protect repaired, before heads are believed',
    file: 'src/alloc/recover-owner.ts',
    from: '  eachSegment(runs, () => undefined);\n',
    to: '',
    test: survivors,
    killer: dies('allocates a run', 'does nothing'),
  },
  {
    name: 'a reference behind the end of its segment',
    why: 'a segment may be smaller than its stride',
    file: 'src/alloc/lookup.ts',
    from: 'return view !== undefined && page < view.layout.pages ? view : undefined;',
    to: 'return view;',
    test: 'test/alloc/misuse.test.ts',
    killer: 'nothing behind the end of a small segment is taken for a page descriptor',
  },
  {
    name: 'a block that is freed as another kind',
    why: 'each kind has its own policy, and its own memory',
    file: 'src/alloc/owner-paths.ts',
    from: '    if (actual !== kind) {\n      const given',
    to: '    if (actual > 99) {\n      const given',
    test: programs,
    killer: "'shared, one owner' with blocks of 48 bytes free as another kind is wrong_kind",
  },
  {
    name: 'a free that does not zero',
    why: 'memory of a kind that is zeroed holds nothing after free',
    file: 'src/alloc/owner-paths.ts',
    from: 'if (((this.owner.zeroKinds >> kind) & 1) === 0) return;',
    to: 'if (sizeBytes > 0) return;',
    test: programs,
    killer:
      "'shared, one owner' with blocks of 48 bytes memory of a kind that is zeroed holds nothing after free, and when it is given again",
  },
  {
    name: 'a segment that is dropped with something in it',
    why: 'only a segment that is one free run may go',
    file: 'src/alloc/runs.ts',
    from: 'if (free.lengthAt(view.layout.dataPage) !== free.dataPages) {',
    to: 'if (free.dataPages === 0) {',
    test: 'test/alloc/capacity.test.ts',
    killer: 'growth keeps segments below one in use',
  },
  {
    name: 'a block that is kept though another has freed it',
    why: 'a remote bit says that the block is free',
    file: 'src/alloc/pool-allocator.ts',
    from: 'const live = peek(view.bits, at) & ~peek(view.bits, at + layout.remoteAt);',
    to: 'const live = peek(view.bits, at);',
    test: programs,
    killer:
      "'shared, two owners' with blocks of 48 bytes use of a reference after its memory has merged with its neighbours is refused",
  },
  {
    name: 'a mark that stays on a block that is free',
    why: 'who gets the block next has not kept it',
    file: 'src/alloc/pool-allocator.ts',
    from: '    if ((peek(bits, at + layout.keptAt) & bit) !== 0) and(bits, at + layout.keptAt, ~bit);\n',
    to: '',
    test: interleaved,
    killer: meanwhile('frees a kept block', 'does nothing'),
  },
];
