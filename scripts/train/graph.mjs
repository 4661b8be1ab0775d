/**
 * A llama as a graph of ggml, whose every weight has a gradient. (llama.cpp's own trainer, llama_opt_epoch, goes through the cache of keys and values:
 * their weights and the embeddings stay as they were drawn.)
 */

import { backends, base, koffi } from '../llama.mjs';

koffi.struct('ggml_init_params', { size: 'size_t', buffer: 'void *', no_alloc: 'bool' });

const g = {
  init: base.func('void *ggml_init(ggml_init_params)'),
  vector: base.func('void *ggml_new_tensor_1d(void *, int, int64_t)'),
  matrix: base.func('void *ggml_new_tensor_2d(void *, int, int64_t, int64_t)'),
  setParameter: base.func('void ggml_set_param(void *)'),
  setInput: base.func('void ggml_set_input(void *)'),
  setOutput: base.func('void ggml_set_output(void *)'),
  getRows: base.func('void *ggml_get_rows(void *, void *, void *)'),
  rmsNorm: base.func('void *ggml_rms_norm(void *, void *, float)'),
  add: base.func('void *ggml_add(void *, void *, void *)'),
  mul: base.func('void *ggml_mul(void *, void *, void *)'),
  mulMat: base.func('void *ggml_mul_mat(void *, void *, void *)'),
  silu: base.func('void *ggml_silu(void *, void *)'),
  cont: base.func('void *ggml_cont(void *, void *)'),
  permute: base.func('void *ggml_permute(void *, void *, int, int, int, int)'),
  reshape2: base.func('void *ggml_reshape_2d(void *, void *, int64_t, int64_t)'),
  reshape4: base.func('void *ggml_reshape_4d(void *, void *, int64_t, int64_t, int64_t, int64_t)'),
  softMax: base.func('void *ggml_soft_max_ext(void *, void *, void *, float, float)'),
  rope: base.func(
    'void *ggml_rope_ext(void *, void *, void *, void *, int, int, int, float, float, float, float, float, float)',
  ),
  allocate: base.func('void *ggml_backend_alloc_ctx_tensors(void *, void *)'),
  set: base.func('void ggml_backend_tensor_set(void *, void *, size_t, size_t)'),
  get: base.func('void ggml_backend_tensor_get(void *, void *, size_t, size_t)'),
};

const types = { f32: 0, i32: 26 };
/** Tensors that a context has room for, and bytes of each. */
const tensorsMax = 2048;
const tensorBytes = 512;
const normEpsilon = 1e-5;
const rotaryBase = 10_000;

/** A context for descriptions of tensors; their data lies elsewhere. */
function newContext() {
  return g.init({ size: tensorsMax * tensorBytes, buffer: null, no_alloc: true });
}

/** @param {unknown} tensor @param {Float32Array | Int32Array} values */
export function write(tensor, values) {
  g.set(tensor, koffi.address(values), 0, values.byteLength);
}

/** @param {unknown} tensor @param {number} count @returns {Float32Array} */
export function read(tensor, count) {
  const values = new Float32Array(count);
  g.get(tensor, koffi.address(values), 0, values.byteLength);
  return values;
}

/**
 * What a graph is made of.
 *
 * @typedef {{ layers: number, width: number, heads: number, vocabulary: number, contextTokens: number }} Shape
 * @typedef {{ name: string, shape: readonly number[], values: () => Float32Array }} Weight
 * @typedef {{ tokens: unknown, positions: unknown, mask: unknown, of: (name: string) => unknown }} Leaves
 */

/**
 * Tensors that stay: weights with their first values, and what goes in.
 *
 * @param {unknown} backend
 * @param {readonly Weight[]} weights
 * @param {number} window tokens of a text
 * @param {number} texts computed at once
 * @returns {Leaves}
 */
export function makeLeaves(backend, weights, window, texts) {
  const context = newContext();
  const tokens = g.vector(context, types.i32, window * texts);
  const positions = g.vector(context, types.i32, window);
  const mask = g.matrix(context, types.f32, window, window);
  for (const input of [tokens, positions, mask]) g.setInput(input);
  const tensors = new Map(
    weights.map(({ name, shape }) => {
      const [first = 0, second] = shape;
      const tensor =
        second === undefined
          ? g.vector(context, types.f32, first)
          : g.matrix(context, types.f32, first, second);
      g.setParameter(tensor);
      return [name, tensor];
    }),
  );
  g.allocate(context, backend);
  for (const { name, values } of weights) write(tensors.get(name), values());
  write(
    positions,
    Int32Array.from({ length: window }, (_, index) => index),
  );
  write(mask, causalMask(window));
  return { tokens, positions, mask, of: (name) => tensors.get(`${name}.weight`) };
}

/** A token sees itself and what is before it. @param {number} window */
function causalMask(window) {
  return Float32Array.from({ length: window * window }, (_, index) =>
    index % window > Math.floor(index / window) ? -Infinity : 0,
  );
}

/**
 * The graph from tokens to logits. A matrix in the drawings is [what lies closest together, …].
 *
 * @param {Shape} shape
 * @param {Leaves} leaves
 * @param {number} window
 * @param {number} texts
 */
export function buildGraph(shape, leaves, window, texts) {
  const context = newContext();
  const headWidth = shape.width / shape.heads;
  /** @param {unknown} x @param {string} name */
  const norm = (x, name) => g.mul(context, g.rmsNorm(context, x, normEpsilon), leaves.of(name));
  /** @param {string} name @param {unknown} x */
  const times = (name, x) => g.mulMat(context, leaves.of(name), x);
  /** [width, tokens] → [head, heads, window, texts] @param {unknown} x */
  const split = (x) => g.reshape4(context, x, headWidth, shape.heads, window, texts);
  /** @param {unknown} x @param {number[]} axes */
  const turn = (x, ...axes) => g.cont(context, g.permute(context, x, ...axes));
  /** @param {unknown} x */
  const rotate = (x) =>
    g.rope(context, split(x), leaves.positions, null, headWidth, 0, 0, rotaryBase, 1, 0, 1, 32, 1);

  /** @param {string} layer @param {unknown} x */
  const attention = (layer, x) => {
    const normed = norm(x, `${layer}.attn_norm`);
    const queries = turn(rotate(times(`${layer}.attn_q`, normed)), 0, 2, 1, 3);
    const keys = turn(rotate(times(`${layer}.attn_k`, normed)), 0, 2, 1, 3);
    const values = turn(split(times(`${layer}.attn_v`, normed)), 1, 2, 0, 3);
    const scores = g.mulMat(context, keys, queries);
    const scale = 1 / Math.sqrt(headWidth);
    const weighed = g.mulMat(context, values, g.softMax(context, scores, leaves.mask, scale, 0));
    const joined = g.reshape2(context, turn(weighed, 0, 2, 1, 3), shape.width, window * texts);
    return times(`${layer}.attn_output`, joined);
  };
  /** @param {string} layer @param {unknown} x */
  const feedForward = (layer, x) => {
    const normed = norm(x, `${layer}.ffn_norm`);
    const gate = g.silu(context, times(`${layer}.ffn_gate`, normed));
    return times(`${layer}.ffn_down`, g.mul(context, gate, times(`${layer}.ffn_up`, normed)));
  };

  let x = g.getRows(context, leaves.of('token_embd'), leaves.tokens);
  for (let index = 0; index < shape.layers; index++) {
    const layer = `blk.${index}`;
    x = g.add(context, x, attention(layer, x));
    x = g.add(context, x, feedForward(layer, x));
  }
  const logits = times('output', norm(x, 'output_norm'));
  g.setOutput(logits);
  return { context, logits };
}

const setThreads = koffi.proto('void SetThreads(void *, int)');

/** The processor as a backend, on one thread. */
export function oneThread() {
  const backend = backends.func('void *ggml_backend_init_by_type(int, void *)')(0, null);
  const device = base.func('void *ggml_backend_get_device(void *)')(backend);
  const registry = base.func('void *ggml_backend_dev_backend_reg(void *)')(device);
  const find = base.func('void *ggml_backend_reg_get_proc_address(void *, const char *)');
  koffi.call(find(registry, 'ggml_backend_set_n_threads'), setThreads, backend, 1);
  return backend;
}
