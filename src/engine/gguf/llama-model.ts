/** Models of the llama architecture: what their files say of them, and which tensors they have. */

import { Random } from '../../base/random.ts';
import { firstPieceToken, madeUpPieces, tokenizerOf } from './vocabulary.ts';
import {
  writeGguf,
  type GgufMetadata,
  type GgufTensor,
  type GgufValue,
  type TensorType,
} from './writer.ts';

export interface LlamaShape {
  readonly layers: number;
  /** Length of a token's vector: a multiple of `heads`. */
  readonly width: number;
  readonly heads: number;
  /** Heads of keys and values: `heads`, or what divides it. */
  readonly kvHeads: number;
  /** Inner length of the feed-forward blocks; by default 8/3 of the width, in multiples of 32. */
  readonly feedForward?: number;
  /** Tokens that there are, 260 at least: three special ones, 256 bytes, pieces. */
  readonly vocabulary: number;
  readonly contextTokens: number;
}

const normEpsilon = 1e-5;
const rotaryBase = 10_000;
/** `general.file_type`: of what type most tensors are. */
const fileTypes: Readonly<Record<TensorType, number>> = { f32: 0, f16: 1 };

function feedForwardOf(shape: LlamaShape): number {
  return shape.feedForward ?? Math.round((shape.width * 8) / 3 / 32) * 32;
}

/** What a model's file says of its shape. */
export function llamaMetadata(name: string, shape: LlamaShape, type: TensorType): GgufMetadata {
  const headWidth = shape.width / shape.heads;
  const numbers: Record<string, GgufValue> = {
    block_count: { u32: shape.layers },
    context_length: { u32: shape.contextTokens },
    embedding_length: { u32: shape.width },
    feed_forward_length: { u32: feedForwardOf(shape) },
    vocab_size: { u32: shape.vocabulary },
    'attention.head_count': { u32: shape.heads },
    'attention.head_count_kv': { u32: shape.kvHeads },
    'attention.layer_norm_rms_epsilon': { f32: normEpsilon },
    'rope.dimension_count': { u32: headWidth },
    'rope.freq_base': { f32: rotaryBase },
  };
  return {
    'general.architecture': { string: 'llama' },
    'general.name': { string: name },
    'general.file_type': { u32: fileTypes[type] },
    ...Object.fromEntries(Object.entries(numbers).map(([key, value]) => [`llama.${key}`, value])),
  };
}

/**
 * Tensors with random weights, the same for the same seed. Norms are ones, and always float32, as llama.cpp wants them.
 *
 * @param gain factor on the weights: at 1 a layer keeps the size of what goes through it
 */
export function randomTensors(
  shape: LlamaShape,
  type: TensorType,
  seed: number,
  gain = 1,
): GgufTensor[] {
  const { width, vocabulary } = shape;
  const inner = feedForwardOf(shape);
  const kvWidth = (width / shape.heads) * shape.kvHeads;
  let count = 0;
  const matrix = (name: string, from: number, to: number): GgufTensor => {
    const own = seed + ++count;
    const values = (): Float32Array => gaussian(from * to, gain / Math.sqrt(from), own);
    return { name: `${name}.weight`, shape: [from, to], type, values };
  };
  const norm = (name: string): GgufTensor => ({
    name: `${name}.weight`,
    shape: [width],
    type: 'f32',
    values: () => new Float32Array(width).fill(1),
  });
  const layers = Array.from({ length: shape.layers }, (_, index) => `blk.${index}`);
  return [
    matrix('token_embd', width, vocabulary),
    norm('output_norm'),
    matrix('output', width, vocabulary),
    ...layers.flatMap((layer) => [
      norm(`${layer}.attn_norm`),
      matrix(`${layer}.attn_q`, width, width),
      matrix(`${layer}.attn_k`, width, kvWidth),
      matrix(`${layer}.attn_v`, width, kvWidth),
      matrix(`${layer}.attn_output`, width, width),
      norm(`${layer}.ffn_norm`),
      matrix(`${layer}.ffn_gate`, width, inner),
      matrix(`${layer}.ffn_up`, width, inner),
      matrix(`${layer}.ffn_down`, inner, width),
    ]),
  ];
}

/** How many numbers are added up for one that is nearly normal; sums of integers are the same on any machine, logarithms are not. */
const summands = 6;

/** Nearly normal numbers with mean 0. */
function gaussian(count: number, deviation: number, seed: number): Float32Array {
  const random = new Random(Math.imul(seed, 0x9e37_79b1));
  const centre = summands * 2 ** 30;
  const scale = deviation / (2 ** 31 * Math.sqrt(summands / 12));
  const values = new Float32Array(count);
  for (let index = 0; index < count; index++) {
    let sum = 0;
    for (let drawn = 0; drawn < summands; drawn++) sum += random.next();
    values[index] = (sum - centre) * scale;
  }
  return values;
}

export interface RandomModel extends LlamaShape {
  readonly seed: number;
  /** By default f32. */
  readonly type?: TensorType;
}

/** Writes a model with random weights and a made-up vocabulary: the same file, byte for byte, for the same arguments. */
export function writeRandomModel(file: string, model: RandomModel): void {
  const type = model.type ?? 'f32';
  const metadata = {
    ...llamaMetadata(`random-${model.layers}x${model.width}`, model, type),
    ...tokenizerOf(madeUpPieces(model.vocabulary - firstPieceToken)),
  };
  writeGguf(file, metadata, randomTensors(model, type, model.seed));
}
