/** What models of tensors may not do without. */

const slots = 'test/engine/onnx/slots.test.ts';
const request = 'test/server/kserve/request.test.ts';
const tokenizer = 'test/engine/onnx/sentence.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const tensors = [
  {
    name: 'a sequence that begins with what another left in its slot',
    why: 'slots are used again, by other tenants too',
    file: 'src/engine/onnx/thread/slots.ts',
    from: '    this.#slot(slot).fill(0);\n',
    to: '',
    test: slots,
    killer: 'a sequence begins with nothing, whatever the memory held',
    brief: true,
  },
  {
    name: 'state of a batch that goes back to other layers',
    why: 'the batch need not be the first dimension of a state',
    file: 'src/engine/onnx/thread/slots.ts',
    from: 'const at = (i * rows + row) * innerBytes;',
    to: 'const at = (row * outer + i) * innerBytes;',
    test: slots,
    killer: 'rows of a batch come from their slots, and go back to them',
    brief: true,
  },
  {
    name: 'tensors of a batch that begin where the slots do',
    why: 'a batch would write over the state of sequences',
    file: 'src/engine/onnx/thread/slots.ts',
    from: '    arena.keep();\n',
    to: '',
    test: slots,
    killer: 'tensors of a batch begin behind the slots, at multiples of 64 bytes',
    brief: true,
  },
  {
    name: 'a vector that another tenant finds',
    why: 'all tenants have one pool for embeddings: who has asked for a text is nobody else’s business',
    file: 'src/engine/onnx/vector-name.ts',
    from: '[cacheVersion, model, tenant]',
    to: '[cacheVersion, model]',
    test: slots,
    killer: 'a vector is kept under its model, its tenant and its tokens',
    brief: true,
  },
  {
    name: 'ids of sequences as numbers of JSON',
    why: 'they have 64 bits, of which a number keeps 53: two clients would share a state',
    file: 'src/server/kserve/request.ts',
    from: 'quoteLargeIds(decodeText(body.subarray(0, end)))',
    to: 'decodeText(body.subarray(0, end))',
    test: request,
    killer: 'ids of sequences are told apart to their last digit, and numbers from texts',
    brief: true,
  },
  {
    name: 'bytes of a tensor that nobody counts',
    why: 'the model would read what is behind them',
    file: 'src/server/kserve/data.ts',
    from: 'if (has !== elements)',
    to: 'if (has < 0)',
    test: request,
    killer: 'half numbers come as bytes only, and truths are 0 and 1',
    brief: true,
  },
  {
    name: 'unknown characters that stay one by one',
    why: 'the encoder was trained with one token for all that stand together',
    file: 'src/engine/onnx/sentence/tokenizer.ts',
    from: 'if (token !== unknownToken || found.at(-1) !== unknownToken) found.push(token);',
    to: 'found.push(token);',
    test: tokenizer,
    killer:
      'a text is cut into its most probable pieces, unknown characters that stand together into one',
    brief: true,
  },
];
