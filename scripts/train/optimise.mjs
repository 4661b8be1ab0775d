/** ggml's AdamW over a graph: one step for each batch, the learning rate by the number of the step alone. */

import { base, koffi } from '../llama.mjs';
import { buildGraph, makeLeaves, oneThread, read, write } from './graph.mjs';

koffi.struct('ggml_opt_params', {
  sched: 'void *',
  ctx_compute: 'void *',
  inputs: 'void *',
  outputs: 'void *',
  loss_type: 'int32_t',
  build_type: 'int32_t',
  opt_period: 'int32_t',
  get_opt_pars: 'void *',
  get_opt_pars_ud: 'void *',
  optimizer: 'int32_t',
});

const o = {
  newSchedule: base.func('void *ggml_backend_sched_new(void **, void *, int, size_t, bool, bool)'),
  defaults: base.func('ggml_opt_params ggml_opt_default_params(void *, int)'),
  init: base.func('void *ggml_opt_init(ggml_opt_params)'),
  alloc: base.func('void ggml_opt_alloc(void *, bool)'),
  eval: base.func('void ggml_opt_eval(void *, void *)'),
  labels: base.func('void *ggml_opt_labels(void *)'),
  loss: base.func('void *ggml_opt_loss(void *)'),
};
const crossEntropy = 2;
const graphNodesMax = 2048;

/** The rest of AdamW's numbers, after the learning rate: two momenta, epsilon, weight decay; then two of another optimiser. */
const momenta = [0.9, 0.98, 1e-8, 0.01, 0, 0];

/** Where the numbers of the optimiser lie; it reads them before each step. */
function makeNumbers() {
  const numbers = new Float32Array(koffi.view(koffi.alloc('float', 1 + momenta.length), 28));
  numbers.set([1, ...momenta]);
  return numbers;
}

/**
 * @param {import('./graph.mjs').Shape} shape
 * @param {readonly import('./graph.mjs').Weight[]} weights
 * @param {number} window tokens of a text
 * @param {number} texts computed at once
 */
export function makeTrainer(shape, weights, window, texts) {
  const backend = oneThread();
  const leaves = makeLeaves(backend, weights, window, texts);
  const { context, logits } = buildGraph(shape, leaves, window, texts);
  const schedule = o.newSchedule([backend], null, 1, graphNodesMax, false, false);
  const numbers = makeNumbers();
  const constant = base.symbol('ggml_opt_get_constant_optimizer_params', 'void');
  const optimiser = o.init({
    ...o.defaults(schedule, crossEntropy),
    ctx_compute: context,
    inputs: leaves.tokens,
    outputs: logits,
    get_opt_pars: koffi.address(constant),
    get_opt_pars_ud: koffi.address(numbers),
  });
  const labels = new Float32Array(shape.vocabulary * window * texts);

  /** @param {Int32Array} tokens @param {Int32Array} next @param {boolean} learns @returns {number} mean loss, in nats per token */
  const evaluate = (tokens, next, learns) => {
    o.alloc(optimiser, learns);
    labels.fill(0);
    for (const [row, token] of next.entries()) labels[row * shape.vocabulary + token] = 1;
    write(leaves.tokens, tokens);
    write(o.labels(optimiser), labels);
    o.eval(optimiser, null);
    return read(o.loss(optimiser), 1)[0] ?? Number.NaN;
  };
  return {
    /** @param {Int32Array} tokens @param {Int32Array} next */
    loss: (tokens, next) => evaluate(tokens, next, false),
    /** @param {Int32Array} tokens @param {Int32Array} next @param {number} rate */
    step(tokens, next, rate) {
      numbers[0] = rate;
      return evaluate(tokens, next, true);
    },
    /** What a weight is by now. @param {import('./graph.mjs').Weight} weight */
    valuesOf({ name, shape: lengths }) {
      const count = lengths.reduce((product, length) => product * length, 1);
      return read(leaves.of(name.replace(/\.weight$/, '')), count);
    },
  };
}
