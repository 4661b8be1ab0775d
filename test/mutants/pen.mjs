/** What many owners of one store may not do without: the pen, what its next holder takes in, and what an heir brings in order. */

const together = 'test/pool/many-interleaved.test.ts';
const beside = 'test/crash/beside.crash.test.ts';
const owners = 'test/store/many-owners.test.ts';
const steps = 'test/pool/four-steps.test.ts';
const often = 'test/pool/interleaved-often.test.ts';
const moments = 'test/pool/many-moments.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const pens = [
  {
    name: 'a put without the pen',
    why: 'of two who change the index at once one would undo what the other does',
    file: 'src/store/pen.ts',
    from: 'if (compareExchange(words, penWord, 0, this.#token) !== 0) this.#await();\n    poke(words, takenWord, (peek(words, takenWord) + 1) | 0);\n    this.isHeld = true;\n    if (peek(words, lastWord) !== this.#token) this.#handOver();\n  }\n\n  /** For what can wait',
    to: 'poke(words, takenWord, (peek(words, takenWord) + 1) | 0);\n    this.isHeld = true;\n    if (peek(words, lastWord) !== this.#token) this.#handOver();\n  }\n\n  /** For what can wait',
    test: together,
    killer: 'while one owner puts a part another puts the same new part',
  },
  {
    name: 'a pen from another hand that is taken as it is',
    why: 'tables and entries may have grown since this owner had it',
    file: 'src/store/pen.ts',
    from: '    this.isHeld = true;\n    if (peek(words, lastWord) !== this.#token) this.#handOver();\n  }\n\n  /** For what can wait',
    to: '    this.isHeld = true;\n  }\n\n  /** For what can wait',
    test: together,
    killer: 'while one owner puts a part another grows the index',
  },
  {
    name: 'an heir who tells nobody',
    why: 'what a dead holder was at is brought in order before anything else',
    file: 'src/store/pen.ts',
    from: '    this.breaks();',
    to: '',
    test: beside,
    killer: 'killed beside another owner at every access put with tags',
  },
  {
    name: 'a reader that believes in a moment that was none',
    why: 'while somebody has the pen nothing is known to stand still',
    file: 'src/store/pen.ts',
    from: 'return load(this.#words, penWord) === 0 ? taken : -1;',
    to: 'return taken;',
    test: moments,
    killer:
      'context, while the holder of the pen appends to another part, and to it, sees the state before or after',
  },
  {
    name: 'a moment that is not looked at again',
    why: 'what was walked through may have changed on the way',
    file: 'src/store/follower.ts',
    from: 'return this.#pen.isStill(moment) ? found : unsettled;',
    to: 'return found;',
    test: often,
    killer: 'a context is of one moment, whenever the writer appends to another part, then the one',
  },
  {
    name: 'a recovery that ends the leases of the living',
    why: 'they read on',
    file: 'src/store/recover.ts',
    from: '    if (hasOpened(region, slot))\n',
    to: '    if (slot > 64)\n',
    test: beside,
    killer: 'killed beside another owner at every access put, replacing',
  },
  {
    name: 'a sweep that takes what is not published yet',
    why: 'drafts of the living are nobody else’s',
    file: 'src/alloc/recover-owner.ts',
    from: 'if (block.kept && !marks.has(block.ref)) found.push(block);',
    to: 'if (!marks.has(block.ref)) found.push(block);',
    test: beside,
    killer: 'killed beside another owner at every access put, replacing',
  },
  {
    name: 'memory of the dead that keeps what it held',
    why: 'it may be what was meant to be wiped',
    file: 'src/alloc/pool-allocator.ts',
    from: 'return recoverLabels(this, (owner) => owner === slot, allKinds);',
    to: 'return recoverLabels(this, (owner) => owner === slot);',
    test: beside,
    killer: 'killed beside another owner at every access draft, write that grows it',
  },
  {
    name: 'memory that leaks with the dead',
    why: 'what was published and is held by nobody is swept',
    file: 'src/store/recover-beside.ts',
    from: '  allocator.sweepKept(reachable(rebuilt));\n',
    to: '',
    test: beside,
    killer: 'killed beside another owner at every access delete a part',
  },
  {
    name: 'segments that only the dead knew',
    why: 'who recovers its memory must know all of it',
    file: 'src/alloc/pool-allocator.ts',
    from: '  clearOwner(slot: number): Recovered {\n    this.mustWrite();\n    this.follow();\n',
    to: '  clearOwner(slot: number): Recovered {\n    this.mustWrite();\n',
    test: beside,
    killer: 'killed beside another owner at every access put that adds a segment',
  },
  {
    name: 'a second owner who recovers',
    why: 'those who have the pool open are at work',
    file: 'src/store/open.ts',
    from: 'const isFirst = !othersHaveOpened(region);',
    to: 'const isFirst = true;',
    test: owners,
    killer: 'owners of one store join without recovery, and without doubt about what is there',
  },
  {
    name: 'a pool called closed while others have it open',
    why: 'if they die it must be recovered',
    file: 'src/store/open.ts',
    from: 'const isLast = hasPen && !othersHaveOpened(region);',
    to: 'const isLast = hasPen;',
    test: owners,
    killer:
      'owners of one store leave it as it is when one of several closes, and in order when the last one does',
  },
  {
    name: 'a broken pool that is called mended too soon',
    why: 'who has begun to bring it in order may die, or be refused a lock',
    file: 'src/store/recover-beside.ts',
    from: '  const { region, allocator, options, pen } = store;\n',
    to: '  const { region, allocator, options, pen } = store;\n  pen.mended();\n',
    test: owners,
    killer: 'owners of one store stay broken until somebody could bring them in order',
  },
  {
    name: 'a lease that nobody looks for after retiring',
    why: 'the third of four steps: the reader’s bit may come after the look and before the end',
    file: 'src/store/remove.ts',
    from: 'if (store.isLeased(words, at)) store.retired.add(ref, words, at);\n  else dispose(store, ref, words, at);',
    to: 'dispose(store, ref, words, at);',
    test: steps,
    killer: 'a reader between any two accesses of an evictor leases what stays, or nothing',
  },
  {
    name: 'a reader that does not look again after its bit is set',
    why: 'the fourth of four steps: the entry may be free by then',
    file: 'src/store/store.ts',
    from: 'if (peek(words, at + field.state) !== this.#matchedState || this.follower.isBehind()) {',
    to: 'if (this.follower.isBehind()) {',
    test: steps,
    killer: 'an evictor between any two accesses of a reader takes nothing that it leases',
  },
];
