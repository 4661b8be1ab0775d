/** What giving memory back may not do without. */
const dying = 'test/alloc/owners.crash.test.ts';
const giving = 'test/alloc/giving-back.test.ts';
const dropped = 'test/alloc/dropped.test.ts';
const freeing = `'free runs beside absent ones' dies at every access`;
/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const givingBack = [
  {
    name: 'memory that goes before its run says so',
    why: 'who dies between the two leaves a run that is handed out without being taken again',
    file: 'src/alloc/absent.ts',
    from: `    if (isLong || isWhole) table.setHead(page, packFree(headAbsent | headPartly, pages));
    if (!isLong) return;`,
    to: `    if (!isLong && isWhole) table.setHead(page, packFree(headAbsent | headPartly, pages));
    if (!isLong) return;`,
    test: dying,
    killer: `'give free memory back to the system' dies at every access`,
  },
  {
    name: 'absent memory that is handed out',
    why: 'it must be taken again before it is touched: a full system answers with a fault',
    file: 'src/alloc/runs.ts',
    from: 'const isAbsent = absenceOf(table.head(from)) !== 0;',
    to: 'const isAbsent = absenceOf(table.head(from)) < 0;',
    test: giving,
    killer: 'free memory is taken again for what is handed out, and no more',
  },
  {
    name: 'a run that is handed out though the system has no memory for it',
    why: 'what cannot be taken again may not be touched',
    file: 'src/alloc/runs.ts',
    from: 'if (isAbsent && !absent.takeAgain(this.region, view, from, at, pages)) {',
    to: 'if (isAbsent && !absent.takeAgain(this.region, view, from, at, pages) && look !== absent.anyRun) {',
    test: giving,
    killer: 'when the system has no memory what is there is handed out, and nothing else',
  },
  {
    name: 'pages that stay reserved when the system refuses them',
    why: 'the limit counts them',
    file: 'src/alloc/absent.ts',
    from: '    if (!isThere) store(words, usedPagesWord, peek(words, usedPagesWord) - pages);\n',
    to: '',
    test: giving,
    killer: 'when the system has no memory what takes memory again and fails changes nothing',
  },
  {
    name: 'a merged run that forgets that its neighbour was absent',
    why: 'the pages of the neighbour would be handed out without being taken again',
    file: 'src/alloc/pages.ts',
    from: '    if (rightPages !== 0) absence = jointAbsence(absence, absenceOf(this.head(end)));\n',
    to: '',
    test: giving,
    killer: 'free memory stays absent when it merges, whatever is on the left and on the right',
  },
  {
    name: 'a run that merges to the left and forgets that that was absent',
    why: 'the pages of the neighbour would be handed out without being taken again',
    file: 'src/alloc/pages.ts',
    from: 'let absence = left === 0 ? 0 : jointAbsence(absenceOf(this.head(left)), 0);',
    to: 'let absence = 0;',
    test: giving,
    killer: 'free memory stays absent when it merges, whatever is on the left and on the right',
  },
  {
    name: 'a merged run that counts as given back as a whole',
    why: 'what came free since would never be given back',
    file: 'src/alloc/layout.ts',
    from: 'return a === b ? a : headAbsent | headPartly;',
    to: 'return a === b ? a : headAbsent;',
    test: giving,
    killer: 'free memory stays absent when it merges, whatever is on the left and on the right',
  },
  {
    name: 'a split that forgets that the run was absent',
    why: 'what is left of it is as absent as it was',
    file: 'src/alloc/pages.ts',
    from: 'const absence = absenceOf(this.head(from));',
    to: 'const absence = 0;',
    test: giving,
    killer: 'free memory is taken again for what is handed out, and no more',
  },
  {
    name: 'a repair that forgets that a run was absent',
    why: 'who inherits a lock merges what the dead did not',
    file: 'src/alloc/repair.ts',
    from: '        absence = jointAbsence(absence, absenceOf(table.head(end)));\n',
    to: '',
    test: dying,
    killer: freeing,
  },
  {
    name: 'retained memory that is given back',
    why: 'joined readers look at tables first and afterwards whether they were still there',
    file: 'src/alloc/absent.ts',
    from: '    const stays = isRetained(view, window);',
    to: '    const stays = false && isRetained(view, window);',
    test: giving,
    killer: 'free memory that is retained is never given back, nor are blocks of metadata',
  },
  {
    name: 'blocks of metadata whose memory is given back',
    why: 'joined readers look at tags and keys first and afterwards whether they were still there',
    file: 'src/alloc/runs.ts',
    from: 'if (low && forSlab) absent.retainPages(',
    to: 'if (low && !forSlab) absent.retainPages(',
    test: giving,
    killer: 'free memory that is retained is never given back, nor are blocks of metadata',
  },
  {
    name: 'memory that counts as given back after the holes were filled',
    why: 'who opens with own fills all holes: from then on it is there',
    file: 'src/alloc/absent.ts',
    from: 'const isFilled = peek(words, absentSinceWord) !== epoch;',
    to: 'const isFilled = false && peek(words, absentSinceWord) !== epoch;',
    test: giving,
    killer: 'free memory goes again after someone filled the holes',
  },
  {
    name: 'a full system that is asked for one run only',
    why: 'another may be there',
    file: 'src/alloc/runs.ts',
    from: 'return look === absent.anyRun ? this.#take(segment, head, pages, than, absent.presentRun) : 0;',
    to: 'return 0;',
    test: giving,
    killer: 'when the system has no memory what is there is handed out, and nothing else',
  },
  {
    name: 'memory that is there and not given for what is wanted',
    why: 'what comes free beside absent memory is absent partly: on a full system nothing of it could be had again',
    file: 'src/alloc/runs.ts',
    from: 'look === absent.presentRun && absent.giveBackRuns(this.region, view, 1) > 0;',
    to: 'look === absent.presentRun && absent.giveBackRuns(this.region, view, 1) < 0;',
    test: giving,
    killer: 'when the system has no memory what comes free makes room for what is wanted',
  },
  {
    name: 'a segment that is what it was when its lock was taken',
    why: 'another may have dropped it: who follows the region since has zero pages in its place, and their lock is free',
    file: 'src/alloc/segment-runs.ts',
    from: "return isCurrent ? 'taken' : 'gone';",
    to: "return 'taken';",
    test: dropped,
    killer:
      "a segment of a 'mapped' region that another drops is none that the dead are recovered in, before it is locked: 1",
  },
  {
    name: 'a dropped segment that is waited for',
    why: 'nothing is in it: whoever recovers or looks for memory goes on without it',
    file: 'src/alloc/segment-runs.ts',
    from: "return this.#isCurrent() ? this.#lock() : 'gone';",
    to: 'return this.#lock();',
    test: dropped,
    killer:
      "a segment of a 'shared' region that another drops is none that the dead are recovered in, before it is locked: 2",
  },
  {
    name: 'a dropped segment that may have room',
    why: 'who finds no memory evicts, and is not told to come again',
    file: 'src/alloc/runs.ts',
    from: `      const entry = segment.enter();
      if (entry === 'gone') return gone;
      if (entry === 'busy') this.blocked = true;`,
    to: `      const entry = segment.enter();
      if (entry !== 'taken') this.blocked = true;`,
    test: dropped,
    killer:
      "a segment of a 'shared' region that another drops is none that memory is looked for in",
  },
  {
    name: 'a segment that shows no run and is passed over for good',
    why: 'another may be at work at it, under the lock',
    file: 'src/alloc/runs.ts',
    from: "if (entry === 'busy') passedOver++;",
    to: "if (entry === 'busy' && segment.showsRun(pages)) passedOver++;",
    test: 'test/alloc/capacity.test.ts',
    killer:
      'a segment of 4 MiB a run that does not show while another is at work in its segment is not taken for missing',
  },
];
