/**
 * The part of llama.cpp's C API that training and its check need, from the prebuilt library, through koffi. One thread, so that
 * the same steps give the same numbers. Structs belong to the pinned version of the package; parameters are taken from its defaults.
 */

import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(import.meta.url);
const platform = `${process.platform}-${process.arch}`;
export const koffi = require(`@koromix/koffi-${platform}`);

const folder = path.join(
  path.dirname(require.resolve(`@node-llama-cpp/${platform}`)),
  '..',
  'bins',
  platform,
);

/** @param {string} name @param {boolean} [global] what it exports serves libraries loaded later */
const load = (name, global = false) => koffi.load(path.join(folder, name), { global });

const base = load('libggml-base.so', true);
const backends = load('libggml.v0.5.0.so', true);
const library = load('libllama.v0.5.0.so');

// Passed by value; what is not named here keeps its default.
koffi.struct('llama_model_params', {
  devices: koffi.array('uint64_t', 3),
  load_mode: 'int32_t',
  lazy_mode: 'int32_t',
  rest: koffi.array('uint64_t', 6),
});
koffi.struct('llama_context_params', {
  n_ctx: 'uint32_t',
  n_batch: 'uint32_t',
  n_ubatch: 'uint32_t',
  n_seq_max: 'uint32_t',
  between: koffi.array('uint32_t', 3),
  n_threads: 'int32_t',
  n_threads_batch: 'int32_t',
  kinds: koffi.array('int32_t', 4),
  flash_attn_type: 'int32_t',
  rope: koffi.array('uint32_t', 8),
  callback: koffi.array('uint64_t', 2),
  type_k: 'int32_t',
  type_v: 'int32_t',
  abort: koffi.array('uint64_t', 2),
  flags: koffi.array('uint64_t', 4),
});
koffi.struct('llama_batch', {
  n_tokens: 'int32_t',
  arrays: koffi.array('uint64_t', 6),
});

export const c = {
  backendInit: library.func('void llama_backend_init()'),
  loadBackends: backends.func('void ggml_backend_load_all_from_path(const char *)'),
  logSet: library.func('void llama_log_set(void *, void *)'),
  modelParams: library.func('llama_model_params llama_model_default_params()'),
  contextParams: library.func('llama_context_params llama_context_default_params()'),
  loadModel: library.func('void *llama_model_load_from_file(const char *, llama_model_params)'),
  freeModel: library.func('void llama_model_free(void *)'),
  saveModel: library.func('void llama_model_save_to_file(void *, const char *)'),
  vocabulary: library.func('void *llama_model_get_vocab(void *)'),
  initContext: library.func('void *llama_init_from_model(void *, llama_context_params)'),
  freeContext: library.func('void llama_free(void *)'),
  tokenize: library.func(
    'int llama_tokenize(void *, const uint8_t *, int, _Out_ int *, int, bool, bool)',
  ),
  tokenToPiece: library.func(
    'int llama_token_to_piece(void *, int, _Out_ uint8_t *, int, int, bool)',
  ),
  batchOf: library.func('llama_batch llama_batch_get_one(void *, int)'),
  decode: library.func('int llama_decode(void *, llama_batch)'),
  logits: library.func('void *llama_get_logits_ith(void *, int)'),
  tokenCount: library.func('int llama_vocab_n_tokens(void *)'),
};
export { backends, base };

let isReady = false;

/** Loads the backend that this processor can run best, once. What llama.cpp has to say is dropped, unless CENOTE_LLAMA_LOG is set. */
function prepare() {
  if (isReady) return;
  isReady = true;
  if (process.env['CENOTE_LLAMA_LOG'] === undefined) {
    const silent = koffi.register(
      () => {},
      koffi.pointer(koffi.proto('void Log(int, void *, void *)')),
    );
    c.logSet(silent, null);
  }
  c.loadBackends(folder);
  c.backendInit();
}

/** @param {string} file a GGUF file */
export function openModel(file) {
  prepare();
  // Weights are copied, since training changes them.
  const model = c.loadModel(file, { ...c.modelParams(), load_mode: 0 });
  if (model === null) throw new Error(`llama.cpp cannot load ${file}`);
  const vocabulary = c.vocabulary(model);
  return { model, vocabulary, tokens: c.tokenCount(vocabulary) };
}

/**
 * @param {unknown} model
 * @param {number} contextTokens also the largest batch
 */
export function openContext(model, contextTokens, batchTokens = contextTokens) {
  const context = c.initContext(model, {
    ...c.contextParams(),
    n_ctx: contextTokens,
    n_batch: batchTokens,
    n_ubatch: batchTokens,
    n_threads: 1,
    n_threads_batch: 1,
    // There are gradients for plain attention over float32 only.
    flash_attn_type: 0,
    type_k: 0,
    type_v: 0,
  });
  if (context === null) throw new Error('llama.cpp cannot make a context');
  return context;
}

/** @param {unknown} vocabulary @param {string} text @returns {Int32Array} */
export function tokenize(vocabulary, text) {
  const bytes = new TextEncoder().encode(text);
  const tokens = new Int32Array(bytes.length + 1);
  const room = tokens.length;
  return tokens.slice(
    0,
    Number(c.tokenize(vocabulary, bytes, bytes.length, tokens, room, true, false)),
  );
}

/** @param {unknown} context @param {Int32Array} tokens */
export function decode(context, tokens) {
  const status = c.decode(context, c.batchOf(koffi.address(tokens), tokens.length));
  if (status !== 0) throw new Error(`llama_decode returned ${status}`);
}

/**
 * Continues a text with the likeliest token each time.
 *
 * @param {{ model: unknown, vocabulary: unknown, tokens: number }} opened
 * @param {string} prompt
 * @param {number} count
 */
export function greedy({ model, vocabulary, tokens }, prompt, count) {
  const fed = tokenize(vocabulary, prompt);
  const context = openContext(model, fed.length + count);
  const pieces = [];
  const piece = new Uint8Array(64);
  decode(context, fed);
  for (let step = 0; step < count; step++) {
    const logits = new Float32Array(koffi.view(c.logits(context, -1), tokens * 4));
    const next = logits.reduce(
      (best, value, token) => (value > /** @type {number} */ (logits[best]) ? token : best),
      0,
    );
    pieces.push(
      piece.slice(0, Number(c.tokenToPiece(vocabulary, next, piece, piece.length, 0, false))),
    );
    decode(context, Int32Array.of(next));
  }
  c.freeContext(context);
  return Buffer.concat(pieces).toString('utf8');
}
