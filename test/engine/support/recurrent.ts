/** A small model of architecture `mamba` with random weights: its state is no row per token, and nothing of it can be taken back. */

import { Random } from '../../../src/base/random.ts';
import { firstPieceToken, madeUpPieces, tokenizerOf } from '../../../src/engine/gguf/vocabulary.ts';
import { type GgufTensor, writeGguf } from '../../../src/engine/gguf/writer.ts';

const vocabulary = 512;
const width = 64;
const inner = 128;
const stateSize = 16;
const stepRank = 4;
const convolution = 4;
const layers = 2;

type Fill = (index: number) => number;

function tensor(name: string, shape: readonly number[], fill: Fill): GgufTensor {
  const length = shape.reduce((product, side) => product * side, 1);
  const values = (): Float32Array => Float32Array.from({ length }, (_, index) => fill(index));
  return { name, shape, type: 'f32', values };
}

export function writeRecurrentModel(path: string, seed: number): void {
  const random = new Random(seed);
  const drawn: Fill = () => random.below(2 ** 20) / 2 ** 19 - 1;
  const matrix = (name: string, from: number, to: number): GgufTensor =>
    tensor(name, [from, to], (index) => (drawn(index) * 1.7) / Math.sqrt(from));
  const all = (name: string, length: number, value: number): GgufTensor =>
    tensor(name, [length], () => value);
  const layer = (of: string): GgufTensor[] => [
    all(`${of}.attn_norm.weight`, width, 1),
    matrix(`${of}.ssm_in.weight`, width, 2 * inner),
    tensor(`${of}.ssm_conv1d.weight`, [convolution, inner], drawn),
    all(`${of}.ssm_conv1d.bias`, inner, 0),
    matrix(`${of}.ssm_x.weight`, inner, stepRank + 2 * stateSize),
    matrix(`${of}.ssm_dt.weight`, stepRank, inner),
    all(`${of}.ssm_dt.bias`, inner, 0.1),
    tensor(`${of}.ssm_a`, [stateSize, inner], (index) => -(1 + (index % stateSize)) / 8),
    all(`${of}.ssm_d`, inner, 1),
    matrix(`${of}.ssm_out.weight`, inner, width),
  ];
  const numbers = {
    context_length: 2048,
    embedding_length: width,
    feed_forward_length: 0,
    'attention.head_count': 0,
    block_count: layers,
    vocab_size: vocabulary,
    'ssm.conv_kernel': convolution,
    'ssm.inner_size': inner,
    'ssm.state_size': stateSize,
    'ssm.time_step_rank': stepRank,
  };
  writeGguf(
    path,
    {
      'general.architecture': { string: 'mamba' },
      'general.name': { string: 'recurrent' },
      'general.file_type': { u32: 0 },
      ...Object.fromEntries(
        Object.entries(numbers).map(([name, value]) => [`mamba.${name}`, { u32: value }]),
      ),
      'mamba.attention.layer_norm_rms_epsilon': { f32: 1e-5 },
      ...tokenizerOf(madeUpPieces(vocabulary - firstPieceToken)),
    },
    [
      matrix('token_embd.weight', width, vocabulary),
      all('output_norm.weight', width, 1),
      matrix('output.weight', width, vocabulary),
      ...Array.from({ length: layers }, (_, index) => layer(`blk.${index}`)).flat(),
    ],
  );
}
