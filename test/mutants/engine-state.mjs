/** What engines may not do without, when they keep state. */

const exact = 'test/engine/state/exact.test.ts';
const refusals = 'test/engine/state/refusals.test.ts';
const rows = 'test/engine/state/rows.test.ts';
const keys = 'test/engine/state/keys.test.ts';
const structs = 'test/engine/llama/structs.test.ts';
const sequencer = 'test/engine/worker/sequencer.test.ts';
const batches = 'test/engine/batches.test.ts';
const besideOthers =
  'a token beside others comes to the same logits as alone, to the last bit (float32)';
const block = 'src/engine/state/block.ts';
const context = 'src/engine/llama/context.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const engineState = [
  {
    name: 'a block whose checksum nobody looks at',
    why: 'llama.cpp takes any rows of the right length',
    file: block,
    from: "if (view.getInt32(crcAt, true) !== crc32(bytes.subarray(positionAt))) return 'checksum';",
    to: '',
    test: refusals,
    killer: 'a block with a changed bit in its rows is refused',
  },
  {
    name: 'a checksum of the rows only',
    why: 'the head says what the rows are',
    file: block,
    from: '  let crc = crc32(head.subarray(positionAt));',
    to: '  let crc = 0;',
    test: refusals,
    killer: 'a block with a changed bit in its head is refused',
  },
  {
    name: 'a block whose length nobody looks at',
    why: 'rows beyond its end would be those of the sequence before',
    file: block,
    from: "  if (bytes.length !== blockBytes(shape)) return 'truncated';",
    to: '',
    test: refusals,
    killer: 'a block that is too short is refused',
  },
  {
    name: 'a block that is used under any name',
    why: 'its checksum is right wherever it lies',
    file: block,
    from: "  return isOurs ? undefined : 'foreign';",
    to: '  return isOurs || bytes.length > 0 ? undefined : undefined;',
    test: refusals,
    killer: 'a block that is another one of the same sequence is refused',
  },
  {
    name: 'a block of any model',
    why: 'models of one shape have rows of one length',
    file: block,
    from: "  if (!areEqual(bytes, expected, fingerprintAt, fingerprintBytes)) return 'fingerprint';",
    to: '',
    test: refusals,
    killer: 'a block of another model under this name is refused',
  },
  {
    name: 'cells in any order',
    why: 'rows are cut out of a state by position',
    file: 'src/engine/state/rows.ts',
    from: 'view.getUint32(at, true) !== token || ',
    to: '',
    test: rows,
    killer: 'a state with positions in another order is not',
  },
  {
    name: 'one room for all sequences',
    why: 'sums in attention are in the order of cells, which would be that of whoever was there before',
    file: context,
    from: 'kvUnified: 0',
    to: 'kvUnified: 1',
    test: exact,
    killer: 'restored state has its cells in the order of its tokens, whoever was there before',
  },
  {
    name: 'a row alone',
    why: 'ggml multiplies a matrix of floats with one row by other instructions than with several',
    file: context,
    from: 'this.#decode(isPiece || !this.#needsOthers ? [] : this.#extras());',
    to: 'this.#decode([]);',
    test: batches,
    killer: besideOthers,
  },
  {
    name: 'a companion of what cannot be taken back',
    why: 'the state of a recurrent model has it in it for good',
    file: context,
    from: 'model.isPaged && (shape.exact ?? true)',
    to: 'shape.exact ?? true',
    test: batches,
    killer: 'a token beside others of a model that can take nothing back is computed as it is',
  },
  {
    name: 'one row of logits of a prompt',
    why: 'the last layer is computed for the rows whose logits are wanted only',
    file: context,
    from: 'if (isPiece && this.#needsOthers) this.#asked.wantTwo(this.#count);',
    to: '',
    test: batches,
    killer: 'a token beside others comes to the same logits as in the last piece of a prompt',
  },
  {
    name: 'extra rows that stay',
    why: 'the next token of their sequence would see them',
    file: context,
    from: '    for (const { sequence, position } of extras) this.remove(sequence, position);\n',
    to: '',
    test: batches,
    killer: besideOthers,
  },
  {
    name: 'a bad block that stays',
    why: 'the first writer wins, so nobody else could ever write it',
    file: 'src/engine/state/restore.ts',
    from: '    this.#remove(nameOf(identity.keys, block), version);\n',
    to: '',
    test: refusals,
    killer: 'a block with a changed bit in its rows is refused',
  },
  {
    name: 'a restore that ends anywhere',
    why: 'the rest of the prompt would be cut into other batches, which changes last digits',
    file: 'src/engine/state/restore.ts',
    from: 'Math.floor(leases.length / step) * step',
    to: 'leases.length',
    test: exact,
    killer: 'restored state of f16 is what a prompt with the same beginning goes on from',
  },
  {
    name: 'a tenant who starts where all do',
    why: 'what others have asked would show in what is cached',
    file: 'src/engine/state/keys.ts',
    from: 'scopeOf(secret, { salt: tenant }).start',
    to: 'scopeOf(secret, { salt: tenant.slice(tenant.length) }).start',
    test: exact,
    killer: 'restored state is not found by another tenant, another model, another type of state',
  },
  {
    name: 'a fingerprint without the types of rows',
    why: 'rows of f16 and of other types may have the same length',
    file: 'src/engine/state/keys.ts',
    from: 'JSON.stringify([...parts, types, rowBytes])',
    to: 'JSON.stringify([...parts, types.length, rowBytes])',
    test: keys,
    killer: 'starts elsewhere for another salt, tenant or model',
  },
  {
    name: 'transposed values that are cut like others',
    why: 'without flash attention a row is not a token',
    file: 'src/engine/state/rows.ts',
    from: '  if (view.getUint32(at - 8, true) !== 0) return undefined;\n',
    to: '',
    test: rows,
    killer: 'a state with transposed values is not',
  },
  {
    name: 'structs that are not compared',
    why: 'a field that has moved is read as another by the library',
    file: 'src/engine/llama/foreign.ts',
    from: '    if (difference === undefined) continue;',
    to: "    if (difference !== 'never') continue;",
    test: structs,
    killer: 'a struct of another layout is refused before anything is called',
  },
  {
    name: 'a request that waits for the disk in its place',
    why: 'whoever else is in the context waits with it',
    file: 'src/engine/worker/sequencer.ts',
    from: '      await this.#options.keeper?.warm(tenant, tokens);\n',
    to: '',
    test: sequencer,
    killer: 'a request whose state is on its way from the disk holds nobody up',
  },
];
