/** What a full pool may not do without, so that what comes costs little more than what goes. */

const full = 'test/store/full.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const fullPools = [
  {
    name: 'all that give back what they hold, at each refusal',
    why: 'a put into a full pool would take three times as long',
    file: 'src/store/room.ts',
    from: '? allocator.allocateAtHand(kind, sizeBytes)',
    to: '? allocator.allocate(kind, sizeBytes)',
    test: full,
    killer:
      'parts of one length in a full pool of 1000 bytes go one by one, and seldom has anybody to give back what he holds',
  },
  {
    name: 'a region that does not grow on',
    why: 'what there is room for would be evicted, where there was none for something large',
    file: 'src/alloc/held-back.ts',
    from: '(!this.isAtHand || this.runs.hasRoomToGrow) && this.runs.grow(pages)',
    to: '!this.isAtHand && this.runs.grow(pages)',
    test: full,
    killer:
      'nothing goes where the pool may still grow, though there was no room for something large',
  },
  {
    name: 'own runs that are not at hand',
    why: 'parts would go beside memory that is free',
    file: 'src/alloc/held-back.ts',
    from: 'return this.isAtHand ? this.drainCache(pages) : this.relieveAll();',
    to: 'return !this.isAtHand && this.relieveAll();',
    test: full,
    killer: 'nothing goes where this owner holds free runs',
  },
  {
    name: 'a compaction that is put off where nothing may go',
    why: 'a pool of pinned parts would be full though it need only be compacted',
    file: 'src/store/room.ts',
    from: '    this.#patience = Math.min(this.#patience, compactionInterval);\n',
    to: '',
    test: full,
    killer: 'memory in pieces comes together at last where nothing may go',
  },
  {
    name: 'an entry of what is at hand only',
    why: 'a pool in which all is pinned would be full before its time',
    file: 'src/store/publish.ts',
    from: '  store.room.insist();\n',
    to: '',
    test: full,
    killer: 'all give back what they hold before a part is refused for want of an entry',
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
    from: 'return mostTicks < this.#coldestTicks * fittingAgeShare ? false : this.#evict(oldest);',
    to: 'return this.#evict(oldest);',
    test: full,
    killer: 'parts of a new length in a full pool do not go for each other',
  },
  {
    name: 'a window at a time',
    why: 'all parts would be looked at for each slab that becomes one of another length',
    file: 'src/store/window.ts',
    from: 'const most = Math.min(Math.max(1, share), windowsMax);',
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
