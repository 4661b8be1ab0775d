/** Files that are damaged, or made to do harm: each is loaded, or refused with a code; no process of ours ends on one. */

import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { CenoteError } from '../../src/errors.ts';
import { openEngine } from '../../src/engine/engine.ts';
import { LlamaContext } from '../../src/engine/llama/context.ts';
import { LlamaModel } from '../../src/engine/llama/model.ts';
import { trialLimits, tryModel } from '../../src/engine/llama/tried.ts';
import { rounds, seed } from '../support/seed.ts';
import { codeOf, missingEngine, smallModel } from './support/models.ts';

const shipped = fileURLToPath(new URL('../../models/cenote-moby.gguf', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'cenote-damaged-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Values that lengths, counts, types and offsets must not have. */
const nasty = [0n, 1n, 0xffn, 0x7fff_ffffn, 0xffff_ffffn, 0x7fff_ffff_ffff_ffffn, 2n ** 64n - 1n];

class Damage {
  readonly #whole = readFileSync(shipped);
  readonly #infosAt = this.#whole.indexOf('token_embd.weight') - 8;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** A file that is not what it was, and what was done to it. */
  next(round: number): { bytes: Buffer; what: string } {
    const [place, from, to] = (
      [
        ['header', 0, 24],
        ['metadata', 24, this.#infosAt],
        ['metadata', 24, 1024],
        ['tensor infos', this.#infosAt, this.#infosAt + 2048],
        ['weights', this.#infosAt + 8192, this.#whole.length],
      ] as const
    )[round % 5] as [string, number, number];
    if (round % 7 === 6) {
      const length = this.#random.below(round % 2 === 0 ? this.#whole.length : this.#infosAt);
      return { bytes: this.#whole.subarray(0, length), what: `cut to ${length}` };
    }
    const bytes = Buffer.from(this.#whole);
    const done: string[] = [];
    for (let times = this.#random.below(3); times >= 0; times--) {
      const at = from + this.#random.below(to - from - 8);
      const value = nasty[this.#random.below(nasty.length)] as bigint;
      const kind = this.#random.below(4);
      if (kind === 0) bytes.writeBigUInt64LE(value, at);
      else if (kind === 1) bytes.writeUInt32LE(Number(value & 0xffff_ffffn), at);
      else bytes[at] = this.#random.below(256);
      done.push(`${at} (${kind}, ${value})`);
    }
    return { bytes, what: `${place} ${done.join(', ')}` };
  }
}

/** Where the trial has gone well, so does this. */
function useHere(path: string): void {
  const model = new LlamaModel(path);
  const shape = { contextTokens: 64, sequences: 1, batchTokens: 16, threads: 1 };
  const context = new LlamaContext(model, { ...shape, kvType: 'f16' });
  context.begin();
  for (let at = 0; at < 16; at++) context.add(0, at, at % model.vocabulary, at === 15);
  context.compute();
  context.close();
  model.close();
}

describe.skipIf(missingEngine() !== undefined)('a damaged model', () => {
  it('is loaded or refused with a code, and nothing ends of it', async () => {
    const damage = new Damage(new Random(seed()));
    const outcomes = { loaded: 0, refused: 0, died: 0 };
    const [file, count] = [join(folder, 'damaged.gguf'), rounds(12, 150)];
    for (let round = 0; round < count; round++) {
      const { bytes, what } = damage.next(round);
      writeFileSync(file, bytes);
      try {
        await tryModel(file, 'f16');
        useHere(file);
        outcomes.loaded += 1;
      } catch (error) {
        if (!(error instanceof CenoteError)) throw new Error(what, { cause: error });
        expect(['engine_model_invalid', 'engine_failed'], `${what}: ${error.message}`).toContain(
          error.code,
        );
        if (error.message.includes('ended its process')) outcomes.died += 1;
        else outcomes.refused += 1;
      }
    }
    expect(outcomes.refused).toBeGreaterThan(0);
  });

  /** Offset of the value of a setting. */
  function valueAt(bytes: Buffer, name: string): number {
    return bytes.indexOf(name) + name.length + 4;
  }

  it.each([
    ['loads it', 'llama.block_count', 0],
    ['computes with it', 'llama.attention.layer_norm_rms_epsilon', 0xffff_ffff],
  ])('of which llama.cpp dies when it %s is refused by an engine', async (_, name, value) => {
    const bytes = readFileSync(shipped);
    bytes.writeUInt32LE(value, valueAt(bytes, name));
    const modelPath = join(folder, 'deadly.gguf');
    writeFileSync(modelPath, bytes);
    const opening = openEngine({ modelPath });
    await expect(opening).rejects.toThrow(
      /ended its process on .*deadly.gguf \(SIGABRT\): GGML_ASS/,
    );
    expect(await codeOf(opening)).toBe('engine_model_invalid');
  });

  const strict = { ...trialLimits, memoryPerByte: 0 };

  it('that takes too long, or too much memory, is refused, and may be tried again', async () => {
    const path = smallModel(40);
    const hurried = { ...strict, timeBaseMs: 1, timePerMibMs: 0 };
    await expect(tryModel(path, 'f16', hurried)).rejects.toThrow(/has not loaded .* within 1 ms/);
    await tryModel(path, 'f16');
    const other = smallModel(41);
    expect(await codeOf(tryModel(other, 'f16', { ...strict, memoryBaseBytes: 2 ** 20 }))).toMatch(
      /^engine_(model_invalid|failed)$/,
    );
  });

  it('is tried once, until it is another file', async () => {
    const path = join(folder, 'changing.gguf');
    copyFileSync(smallModel(42), path);
    const hurried = { ...strict, timeBaseMs: 1, timePerMibMs: 0 };
    await tryModel(path, 'f16');
    await tryModel(path, 'f16', hurried);
    writeFileSync(path, 'GGUF and nothing else');
    expect(await codeOf(tryModel(path, 'f16'))).toBe('engine_model_invalid');
    expect(await codeOf(openEngine({ modelPath: path }))).toBe('engine_model_invalid');
    copyFileSync(smallModel(42), path);
    await tryModel(path, 'f16');
  });
});
