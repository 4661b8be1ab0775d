/** What may not be missing where a part is on the disk only and is asked for by its version, by a tag or over RESP, or where a pool is copied while it changes. */

const ifVersion = 'test/tier/if-version.test.ts';
const conditions = 'test/server/resp/conditions.test.ts';
const cold = 'test/server/resp/cold.test.ts';
const snapshot = 'test/pool/online-snapshot.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const coldParts = [
  {
    name: 'a lock that two win',
    why: 'between the look of SETNX and its store another worker may have stored: the store itself asks',
    file: 'src/server/resp/commands/strings.ts',
    from: 'const ifVersion = before?.version ?? 0;',
    to: 'const ifVersion = undefined;',
    test: conditions,
    killer:
      'a small value whose key another worker changes meanwhile is not stored by SETNX where there is one now',
  },
  {
    name: 'a large value that is lost with its first look',
    why: 'its bytes are in the draft only: what was refused for a version that was named at the end is stored after another look',
    file: 'src/store/draft.ts',
    from: "if (ifVersion === undefined || !hasCode(error, 'version_conflict')) this.abort();",
    to: 'this.abort();',
    test: conditions,
    killer:
      'a large value whose key another worker changes meanwhile is stored by XX in the place of another',
  },
  {
    name: 'two looks of one SET that differ',
    why: 'the condition and what GET tells are of one version, also where nothing is stored',
    file: 'src/server/resp/commands/strings.ts',
    from: 'old !== undefined && old.take(id, valuePart)?.version !== before?.version',
    to: 'old !== undefined && old.take(id, valuePart) === null',
    test: conditions,
    killer:
      'a small value whose key another worker changes meanwhile tells with NX and GET what is there, and that there was nothing where it is stored',
  },
  {
    name: 'a value that is absent since memory has no room for it',
    why: 'what cannot be brought to memory is there all the same',
    file: 'src/server/resp/commands/strings.ts',
    from: 'const isThere = isCold || before !== undefined;',
    to: 'const isThere = before !== undefined;',
    test: cold,
    killer:
      'a large value for the place of one on the disk is not absent where memory has no room for it',
  },
  {
    name: 'a key that is too large and is looked for',
    why: 'its bytes are nowhere: the command would be refused for a key without any',
    file: 'src/server/resp/cold.ts',
    from: '    if (args.sink(i) !== undefined) continue;\n',
    to: '',
    test: cold,
    killer: 'a large value for the place of one on the disk is no key',
  },
  {
    name: 'a large value that does not look at the disk',
    why: 'it is on its way into memory before NX, XX, GET or KEEPTTL are read: they mean what is on the disk as well',
    file: 'src/server/resp/cold.ts',
    from: 'first === 0 || overwriting',
    to: 'first === 0 || args.hasSinks || overwriting',
    test: cold,
    killer: 'a large value for the place of one on the disk is set with ["XX"] by what is there',
  },
  {
    name: 'a part on the disk that is taken for absent',
    why: 'what was there when a draft began, or came since, may have gone to the disk when it is committed: memory alone cannot say',
    file: 'src/store/publish.ts',
    from: '      ? versionBelow(store)\n',
    to: '      ? 0\n',
    test: ifVersion,
    killer:
      'a part that goes to the disk while another is written for its place is not taken for absent',
  },
  {
    name: 'an append that makes a part anew',
    why: 'what was in memory before the pen was taken may have gone to the disk: a part of the added bytes would hide it',
    file: 'src/store/append.ts',
    from: "  if (versionBelow(store) !== 0) fail('part_on_disk', 'The part is on the disk.');\n",
    to: '',
    test: ifVersion,
    killer: 'a part on the disk is not extended in the version it has',
  },
  {
    name: 'a lower tier that is asked for a tag without the pen',
    why: 'what comes up between the look at memory and that below is met in neither',
    file: 'src/store/contexts.ts',
    from: '          count += below();\n',
    to: '          store.pen.give();\n          count += below();\n          store.pen.take();\n',
    test: 'test/store/invalidate-beside.test.ts',
    killer: 'a part that another brings up before the lower tier is asked is invalidated in memory',
  },
  {
    name: 'a value on the disk that memory has no room for',
    why: 'a command that looks at memory takes it for absent',
    file: 'src/server/resp/connection.ts',
    from: '      if (missing !== undefined) this.#runner.goWithout(missing, this.#parser.args);\n',
    to: '',
    test: cold,
    killer:
      'parts on the disk that memory has no room for are told of, where MGET would find them absent',
  },
  {
    name: 'a refusal of what needs no room',
    why: 'SET with a condition looks at the disk itself',
    file: 'src/server/resp/cold.ts',
    from: '  if (asking.has(command.name)) return undefined;\n',
    to: '',
    test: cold,
    killer:
      'a large value for the place of one on the disk is not absent where memory has no room for it',
  },
  {
    name: 'a snapshot that keeps what has changed until it meets it',
    why: 'it evicts what it has copied, and is refused at its end',
    file: 'src/pool/online-copy.ts',
    from: '    if (this.#isShortFor(bytes.length)) this.#dropGone();\n',
    to: '',
    test: snapshot,
    killer: 'a snapshot beside writers fits though small parts grow large and large ones shrink',
  },
  {
    name: 'the snapshot of a full pool without room for its tables',
    why: 'it evicts what it has copied, and is refused',
    file: 'src/pool/snapshot.ts',
    from: 'resize(target, capacityFor(target, store.region.superblock.capacityBytes));',
    to: 'resize(target, store.region.superblock.capacityBytes);',
    test: snapshot,
    killer: 'a snapshot beside writers has all of a pool that is full',
  },
  {
    name: "the copy of a part that is another entry's by now",
    why: 'when that one goes before it is looked at, the old copy stays in the snapshot',
    file: 'src/pool/online-copy.ts',
    from: "    withPen(target, () => retire(target, ref, 'deleted'));",
    to: "    const { id, part } = namesOf(target, ref);\n    if (partOf(this.#source, id, part) === 0) withPen(target, () => retire(target, ref, 'deleted'));",
    test: snapshot,
    killer: 'a snapshot beside writers has not what was replaced and deleted while it ran',
  },
  {
    name: 'what went wrong for a command that was refused anyway',
    why: 'the next command is told of it',
    file: 'src/server/resp/runner.ts',
    from: '    this.loadError = undefined; // also where the command was refused for another reason\n',
    to: '',
    test: cold,
    killer:
      'parts on the disk are told of to the command that asks for them only, when they cannot be read',
  },
  {
    name: 'a copy that was dropped and passes for one that is there',
    why: 'a part that becomes again what it was is not copied any more, and the snapshot lacks it',
    file: 'src/pool/online-copy.ts',
    from: '      this.#seen[ordinal * wordsEach] = neverSeen;\n',
    to: '',
    test: snapshot,
    killer:
      'a snapshot beside writers has what was changed and changed back while its copy had to make room',
  },
  {
    name: 'fields that nobody has asked for',
    why: 'of a hash that is larger than memory not even a field could be had, or deleted',
    file: 'src/server/resp/cold.ts',
    from: '  if (fieldStep !== undefined) return coldFields(pool, args, fieldStep);\n',
    to: '',
    test: cold,
    killer:
      'parts on the disk that memory has no room for are needed for what a command asks of them only',
  },
];
