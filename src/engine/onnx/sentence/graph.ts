/**
 * The sentence encoder as an ONNX graph, of the weights that TensorFlow.js has: Universal Sentence Encoder lite (Cer et al. 2018, arXiv 1803.11175), a
 * transformer of two layers.
 *
 * ```
 *   ids [batch, tokens] ─▶ embeddings, twice, + places ─▶ layer 0 (256 → 512) ─▶ layer 1 (512) ─▶ mean over tokens ─▶ tanh ─▶ unit length
 *   mask [batch, tokens]: 1 where there is a token, 0 behind the last one       a layer:  x ─▶ norm ─▶ attention, 4 heads ─▶ + x ─▶ norm ─▶ 512·1536·512 ─▶ +
 * ```
 *
 * The original leaves out what is behind the last token; here it is computed and then masked, which gives the same.
 */

import { fail } from '../../../errors.ts';
import {
  writeModel,
  type Attribute,
  type GraphNode,
  type GraphValue,
  type Initializer,
} from '../model-writer.ts';
import type { Weight } from './weights.ts';

/** Tokens that the encoder looks at. */
export const encoderTokens = 128;
/** Numbers of a vector. */
export const encoderWidth = 512;

const heads = 4;
const firstWidth = 256;
const innerWidth = 1536;
const epsilonNorm = 1e-6;
const epsilonLength = 1e-12;
/** Of keys that are not there. */
const maskedScore = -1e9;

const root = 'module/Encoder_en/';
const applied = 'module_apply_default/Encoder_en/';
const folded = '/ConcatPartitions/concat';
const transformer = 'KonaTransformer/Encode/';

class GraphBuilder {
  readonly nodes: GraphNode[] = [];
  readonly initializers: Initializer[] = [];
  readonly #weights: ReadonlyMap<string, Weight>;
  #made = 0;

  constructor(weights: ReadonlyMap<string, Weight>) {
    this.#weights = weights;
  }

  /** A node with one output. */
  add(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    return this.addMany(op, inputs, 1, attributes)[0] as string;
  }

  addMany(
    op: string,
    inputs: readonly string[],
    count: number,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): readonly string[] {
    const outputs = Array.from({ length: count }, () => `t${this.#made++}`);
    this.nodes.push({ op, inputs, outputs, attributes });
    return outputs;
  }

  /** A weight by its name, in a shape with as many numbers. @throws engine_model_invalid */
  weight(name: string, dims: readonly number[]): string {
    const found = this.#weights.get(name);
    const count = dims.reduce((product, size) => product * size, 1);
    if (found?.data instanceof Float32Array && found.data.length === count)
      return this.constant(found.data, dims);
    const is = found === undefined ? 'missing' : `of shape ${found.dims.join('×')}`;
    return fail('engine_model_invalid', `The weight ${name} of the sentence encoder is ${is}.`);
  }

  constant(data: Initializer['data'], dims: readonly number[]): string {
    const name = `c${this.initializers.length}`;
    this.initializers.push({ name, dims, data });
    return name;
  }

  scalar(value: number): string {
    return this.constant(Float32Array.of(value), []);
  }

  integers(...values: readonly number[]): string {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length]);
  }

  /** x · W + b. */
  dense(x: string, kernel: string, bias: string, from: number, to: number): string {
    const product = this.add('MatMul', [x, this.weight(kernel, [from, to])]);
    return this.add('Add', [product, this.weight(bias, [to])]);
  }

  norm(x: string, name: string, width: number): string {
    const scale = this.weight(`${name}/layer_norm_scale${folded}`, [width]);
    const bias = this.weight(`${name}/layer_norm_bias${folded}`, [width]);
    const attributes = { axis: -1, epsilon: { float: epsilonNorm } };
    return this.add('LayerNormalization', [x, scale, bias], attributes);
  }
}

/** Sines and cosines of places, from the wave lengths that the model has. */
function placesOf(weights: ReadonlyMap<string, Weight>): Float32Array {
  const name = `${applied}${transformer}TransformerStack/Layer_0/AddTimingSignal/TimingSignal/ExpandDims_1`;
  const scales = weights.get(name)?.data;
  const half = firstWidth / 2;
  if (scales?.length !== half)
    fail('engine_model_invalid', `The weight ${name} of the sentence encoder is missing.`);
  const places = new Float32Array(encoderTokens * firstWidth);
  for (let place = 0; place < encoderTokens; place++) {
    for (let wave = 0; wave < half; wave++) {
      const angle = Math.fround(place * (scales[wave] as number));
      places[place * firstWidth + wave] = Math.sin(angle);
      places[place * firstWidth + half + wave] = Math.cos(angle);
    }
  }
  return places;
}

/** @param bias what is added to the scores of keys */
function attention(
  graph: GraphBuilder,
  x: string,
  layer: number,
  width: number,
  bias: string,
): string {
  const name = `${transformer}Layer_${layer}/TransformerLayer/MultiheadAttention`;
  const bias0 = `${applied}${name}/qkv_transform_single/bias${folded}`;
  const kernel = `${root}${name}/qkv_transform_single/kernel/part_0`;
  const together = graph.dense(x, kernel, bias0, width, 3 * width);
  const parts = graph.integers(width, width, width);
  const [queries, keys, values] = graph
    .addMany('Split', [together, parts], 3, { axis: -1 })
    .map((part) => {
      const split = graph.add('Reshape', [part, graph.integers(0, 0, heads, width / heads)]);
      return graph.add('Transpose', [split], { perm: [0, 2, 1, 3] });
    }) as [string, string, string];
  const scaled = graph.add('Mul', [queries, graph.scalar(Math.sqrt(heads / width))]);
  const turned = graph.add('Transpose', [keys], { perm: [0, 1, 3, 2] });
  const scores = graph.add('Add', [graph.add('MatMul', [scaled, turned]), bias]);
  const shares = graph.add('Softmax', [scores], { axis: -1 });
  const mixed = graph.add('Transpose', [graph.add('MatMul', [shares, values])], {
    perm: [0, 2, 1, 3],
  });
  const joined = graph.add('Reshape', [mixed, graph.integers(0, 0, width)]);
  const out = `${name}/output_transform_single`;
  const outBias = `${applied}${out}/bias${folded}`;
  return graph.dense(joined, `${root}${out}/kernel/part_0`, outBias, width, encoderWidth);
}

function layerOf(
  graph: GraphBuilder,
  x: string,
  layer: number,
  width: number,
  bias: string,
): string {
  const name = `${applied}${transformer}Layer_${layer}/TransformerLayer`;
  const normal = graph.norm(x, `${name}/layer_prepostprocess/layer_norm`, width);
  const dense = `${name}/dense`;
  const residual =
    width === encoderWidth
      ? x
      : graph.dense(x, `${dense}/kernel${folded}`, `${dense}/bias${folded}`, width, encoderWidth);
  const attended = graph.add('Add', [attention(graph, normal, layer, width, bias), residual]);
  const inner = graph.norm(attended, `${name}/FFN/layer_prepostprocess/layer_norm`, encoderWidth);
  const kernels = `${applied}${transformer}TransformerStack/Layer_${layer}/TransformerLayer/FFN`;
  const [first, second] = [1, 2].map((conv) => ({
    kernel: `${kernels}/conv${conv}/Tensordot/Reshape_1`,
    bias: `${name}/FFN/conv${conv}/bias${folded}`,
  })) as [{ kernel: string; bias: string }, { kernel: string; bias: string }];
  const wide = graph.dense(inner, first.kernel, first.bias, encoderWidth, innerWidth);
  const active = graph.add('Relu', [wide]);
  const narrow = graph.dense(active, second.kernel, second.bias, innerWidth, encoderWidth);
  return graph.add('Add', [narrow, attended]);
}

const inputs: readonly GraphValue[] = [
  { name: 'ids', element: 'int32', dims: ['batch', 'tokens'] },
  { name: 'mask', element: 'float32', dims: ['batch', 'tokens'] },
];
const outputs: readonly GraphValue[] = [
  { name: 'embedding', element: 'float32', dims: ['batch', encoderWidth] },
];

/** The bytes of an .onnx file. @throws engine_model_invalid where a weight is missing, or of another shape */
export function sentenceModel(weights: ReadonlyMap<string, Weight>): Uint8Array {
  const graph = new GraphBuilder(weights);
  const embeddings = weights.get('module/Embeddings_en');
  const vocabulary = (embeddings?.data.length ?? 0) / firstWidth;
  const table = graph.weight('module/Embeddings_en', [vocabulary, firstWidth]);
  const found = graph.add('Gather', [table, 'ids']);
  const length = graph.add('Gather', [graph.add('Shape', ['ids']), graph.integers(1)]);
  const places = graph.constant(placesOf(weights), [encoderTokens, firstWidth]);
  const placed = graph.add('Slice', [places, graph.integers(0), length]);
  const start = graph.add('Add', [graph.add('Add', [found, found]), placed]);

  const isAbsent = graph.add('Sub', [graph.scalar(1), 'mask']);
  const hidden = graph.add('Mul', [isAbsent, graph.scalar(maskedScore)]);
  const bias = graph.add('Unsqueeze', [hidden, graph.integers(1, 2)]);
  const first = layerOf(graph, start, 0, firstWidth, bias);
  const last = layerOf(graph, first, 1, encoderWidth, bias);

  const kept = graph.add('Mul', [last, graph.add('Unsqueeze', ['mask', graph.integers(2)])]);
  const sum = graph.add('ReduceSum', [kept, graph.integers(1)], { keepdims: 0 });
  const count = graph.add('ReduceSum', ['mask', graph.integers(1)], { keepdims: 1 });
  const mean = graph.add('Div', [sum, graph.add('Max', [count, graph.scalar(1)])]);
  const hiddenLayer = `${root}hidden_layers/tanh_layer_0`;
  const turned = graph.dense(
    mean,
    `${hiddenLayer}/weights`,
    `${hiddenLayer}/bias`,
    encoderWidth,
    encoderWidth,
  );
  const vector = graph.add('Tanh', [turned]);
  const squares = graph.add('Mul', [vector, vector]);
  const squared = graph.add('ReduceSum', [squares, graph.integers(-1)], { keepdims: 1 });
  const size = graph.add('Sqrt', [graph.add('Max', [squared, graph.scalar(epsilonLength)])]);
  const { nodes, initializers } = graph;
  nodes.push({ op: 'Div', inputs: [vector, size], outputs: ['embedding'] });
  return writeModel({ name: 'sentence-encoder', inputs, outputs, initializers, nodes });
}
