/** What a full pool may not do without, so that what comes costs little more than what goes. */

const full = 'test/store/full.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const fullPools = [
  {
    name: 'all that give back what they hold, at each refusal',
    why: 'a put into a full pool would take three times as long',
    file: 'src/store/room.ts',
    from: 'let ref = this.#untilRelief > 0 ? allocator.allocateAtHand(kind, sizeBytes) : 0;',
    to: 'let ref = this.#untilRelief > 0 ? allocator.allocate(kind, sizeBytes) : 0;',
    test: full,
    killer:
      'parts of one length in a full pool of 1000 bytes go one by one, and seldom has anybody to give back what he holds',
  },
  {
    name: 'a region that does not grow on',
    why: 'a pool whose capacity was raised would evict what there is room for',
    file: 'src/store/room.ts',
    from: 'if (ref === 0 && this.#untilRelief > 0 && segments.length === this.#segments) {',
    to: 'if (ref === 0 && this.#untilRelief > 0) {',
    test: 'test/pool/capacity.test.ts',
    killer: 'setCapacity raises the bound of a pool in use',
  },
  {
    name: 'a limit that is raised and not heard of',
    why: 'a pool whose capacity was raised would evict what there is room for',
    file: 'src/alloc/owner-paths.ts',
    from: '      this.isAtHand = false; // the limit may be another one, too\n',
    to: '',
    test: 'test/pool/capacity.test.ts',
    killer: 'setCapacity raises the bound of a pool in use',
  },
  {
    name: 'an entry of what is at hand only',
    why: 'a pool in which all is pinned would be full before its time',
    file: 'src/store/publish.ts',
    from: '  store.room.insist();\n',
    to: '',
    test: full,
    killer: 'a part finds its entry in what this owner has held back, where nothing may go',
  },
  {
    name: 'the oldest only, whatever their length',
    why: 'for a part of a length that is rare whole windows would be cleared',
    file: 'src/store/room.ts',
    from: 'fits &&= evictor.evictFitting(kind, sizeBytes);',
    to: 'fits = false;',
    test: full,
    killer: 'parts of many lengths in a full pool go one by one, and not by whole windows',
  },
  {
    name: 'parts of a new length that go for each other',
    why: 'they would never have more memory than their first slab, however cold all others are',
    file: 'src/store/evictor.ts',
    from: 'return oldestAge < this.#coldestAge * fittingAgeShare ? false : this.#evict(oldest);',
    to: 'return this.#evict(oldest);',
    test: full,
    killer: 'parts of a new length in a full pool do not go for each other',
  },
  {
    name: 'a window at a time',
    why: 'all parts would be looked at for each slab that becomes one of another length',
    file: 'src/store/window.ts',
    from: 'const most = Math.max(1, Math.floor(unitsInAll / (shareAtOnce * units)));',
    to: 'const most = 1;',
    test: full,
    killer:
      'parts of a new length in a full pool get windows of which several are cleared at one look',
  },
  {
    name: 'a compaction that never learns',
    why: 'all parts would be looked at time and again, where none can move',
    file: 'src/store/room.ts',
    from: 'const interval = isPaid ? compactionInterval : 2 * this.#compactionInterval;',
    to: 'const interval = compactionInterval;',
    test: full,
    killer:
      'parts of one length in a full pool are not looked at to be moved, time and again, where nothing can be',
  },
  {
    name: 'windows that are cleared of what is leased',
    why: 'what somebody reads would be evicted',
    file: 'src/store/window.ts',
    from: "    if (mayGo) retire(store, entry, 'evicted');",
    to: "    retire(store, entry, 'evicted');",
    test: full,
    killer: 'what is leased while windows are chosen stays',
  },
];
