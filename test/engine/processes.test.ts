/** Conversations go on in another worker, in another process, and after a restart, kill -9 included: same logits, to the last bit. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { GenerateRequest, GenerationResult, KvType } from '../../src/engine/api.ts';
import { freshPath, mib, pool } from '../pool/support/pools.ts';
import { seed } from '../support/seed.ts';
import { answer, engine, missingEngine, smallModel, someTokens } from './support/models.ts';

const script = fileURLToPath(new URL('fixtures/answers.mjs', import.meta.url));
const promptTokens = 200;
const restorable = 192;

/** An engine in a process of its own. */
class Other {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(path: string, kvType: KvType) {
    this.#process = spawn(process.execPath, [script, path, smallModel(), kvType], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const { stdout } = this.#process;
    if (stdout === null) throw new Error('no pipe');
    this.#lines = createInterface(stdout)[Symbol.asyncIterator]();
    onTestFinished(() => void this.#process.kill('SIGKILL'));
  }

  async answer(request: GenerateRequest): Promise<GenerationResult> {
    const tokens = Array.from(request.tokens ?? []);
    const whole = { maxTokens: 64, ignoreEnd: true, logitsDigest: true, ...request, tokens };
    this.#process.stdin?.write(`${JSON.stringify(whole)}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('the process has ended');
    return JSON.parse(line.value) as GenerationResult;
  }

  async end(signal?: NodeJS.Signals): Promise<void> {
    if (signal === undefined) this.#process.stdin?.end();
    else this.#process.kill(signal);
    await once(this.#process, 'exit');
  }
}

describe.skipIf(missingEngine() !== undefined)('an answer', () => {
  it.each<KvType>(['f16', 'q8_0'])('is the same from another worker (%s)', async (kvType) => {
    const kept = await pool({ capacityBytes: 32 * mib });
    const prompt = { tokens: someTokens(promptTokens, seed()) };
    const first = await engine({ pool: kept, kvType });
    const expected = await answer(first, prompt);
    await first.flushed();
    await first.close();
    const again = await answer(await engine({ pool: kept, kvType }), prompt);
    expect(again.usage.cachedTokens).toBe(restorable);
    expect(again.logitsDigest).toBe(expected.logitsDigest);
    expect(again.text).toBe(expected.text);
    const without = await answer(await engine({ kvType }), prompt);
    expect(without.usage.cachedTokens).toBe(0);
    expect(without.logitsDigest).toBe(expected.logitsDigest);
  });

  it.each<KvType>(['f16', 'q8_0'])(
    'is the same from another process beside, and after a restart (%s)',
    async (kvType) => {
      const path = freshPath();
      const prompt = { tokens: someTokens(promptTokens, seed() + 1) };
      const [one, two] = [new Other(path, kvType), new Other(path, kvType)];
      const expected = await one.answer(prompt);
      expect(expected.usage.cachedTokens).toBe(0);
      const beside = await two.answer(prompt);
      expect(beside.usage.cachedTokens).toBe(restorable);
      expect(beside.logitsDigest).toBe(expected.logitsDigest);
      await Promise.all([one.end(), two.end()]);
      const later = new Other(path, kvType);
      const after = await later.answer(prompt);
      expect(after.usage.cachedTokens).toBe(restorable);
      expect(after.logitsDigest).toBe(expected.logitsDigest);
      await later.end();
    },
  );

  it.each<KvType>(['f16', 'q8_0'])('is the same after kill -9 (%s)', async (kvType) => {
    const path = freshPath();
    const prompt = { tokens: someTokens(promptTokens, seed() + 9) };
    const one = new Other(path, kvType);
    const expected = await one.answer(prompt);
    await one.end('SIGKILL');
    const after = await new Other(path, kvType).answer(prompt);
    expect(after.usage.cachedTokens).toBe(restorable);
    expect(after.logitsDigest).toBe(expected.logitsDigest);
  });

  it('goes on after kill -9, turn by turn', async () => {
    const path = freshPath();
    let tokens = [...someTokens(100, seed() + 2)];
    let process_ = new Other(path, 'f16');
    for (let turn = 0; turn < 3; turn++) {
      const { usage } = await process_.answer({ tokens, maxTokens: 32 });
      const known = turn === 0 ? 0 : Math.floor((tokens.length - 21) / 64) * 64;
      expect(usage.cachedTokens).toBe(known);
      await process_.end('SIGKILL');
      // What the model said is not known by its tokens here; other tokens in their place end the chain there.
      tokens = [...tokens, ...someTokens(20, seed() + 3 + turn)];
      process_ = new Other(path, 'f16');
    }
    await process_.end();
  });
});
