/** Sequences of node-llama-cpp that go on from a pool, in another context and another process; and states that are refused. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { checkpoint, resume } from '../../../src/engine/node-llama-cpp/index.ts';
import type { Pool } from '../../../src/pool/api.ts';
import { freshPath, mib, pool, read } from '../../pool/support/pools.ts';
import { codeOf, smallModel } from '../support/models.ts';
import { follow, missing, modelAt, type Sequence, sequence, shippedModel } from './llama.ts';

const script = fileURLToPath(new URL('../fixtures/checkpoint.mjs', import.meta.url));
const part = 'node-llama-cpp';
const next = 5;
const count = 16;

/** What another process says; it goes on until it is ended. */
async function elsewhere(what: 'keep' | 'resume', path: string, tokens: number[]) {
  const args = [script, what, path, shippedModel, JSON.stringify(tokens), String(next)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  for await (const line of createInterface(child.stdout)) {
    child.kill('SIGKILL');
    await once(child, 'exit');
    return JSON.parse(line) as number[];
  }
  throw new Error('The process has ended.');
}

describe.skipIf(missing !== undefined)(`a sequence${missing ? ` (${missing})` : ''}`, () => {
  let prompt: number[];
  /** What follows where nothing is kept. */
  let undisturbed: number[];

  beforeAll(async () => {
    const model = await modelAt(shippedModel);
    prompt = model.tokenize('Call me Ishmael. Some years ago, never mind how long precisely');
    const context = await model.createContext({ contextSize: 256, threads: 1 });
    const alone = context.getSequence();
    await alone.evaluateWithoutGeneratingNewTokens(prompt);
    undisturbed = await follow(alone, next, count);
    await context.dispose();
  });

  async function evaluated(options: object = {}): Promise<Sequence> {
    const of = await sequence(options);
    await of.evaluateWithoutGeneratingNewTokens(prompt);
    return of;
  }

  async function kept(options: object = {}): Promise<Pool> {
    const into = await pool();
    await checkpoint(await evaluated(options), into, 'chat');
    return into;
  }

  it('goes on in another context as if nothing had been', async () => {
    const into = await pool();
    const first = await evaluated();
    const state = await checkpoint(first, into, 'chat', { ttlMs: 60_000 });
    expect(state.tokens).toBe(prompt.length);
    expect(into.describe('chat', part)).toMatchObject({ sizeBytes: state.sizeBytes });
    expect(await follow(first, next, count)).toEqual(undisturbed);
    const second = await sequence();
    expect(await resume(second, into, 'chat')).toEqual(state);
    expect(second.contextTokens).toEqual(prompt);
    expect(await follow(second, next, count)).toEqual(undisturbed);
    // Also over what it has said by then.
    await resume(second, into, 'chat');
    expect(await follow(second, next, count)).toEqual(undisturbed);
    expect(into.stats().retiredParts).toBe(0);
  });

  it('goes on in another process, and here after that one was killed', async () => {
    const path = freshPath();
    expect(await elsewhere('keep', path, prompt)).toEqual(undisturbed);
    const into = await pool({ path });
    const second = await sequence();
    await resume(second, into, 'chat');
    expect(await follow(second, next, count)).toEqual(undisturbed);
    expect(await elsewhere('resume', path, [])).toEqual(undisturbed);
  });

  /** Nothing has changed: what the sequence had is still there, and what the pool has too. */
  async function expectRefused(code: string, from: Pool, options: object = {}): Promise<void> {
    const own = await evaluated(options);
    const before = read(from, 'chat', part);
    const changes = from.stats().operations.puts;
    expect(await codeOf(resume(own, from, 'chat'))).toBe(code);
    expect(own.contextTokens).toEqual(prompt);
    const kvTypes = Object.keys(options).some((name) => name.startsWith('experimental'));
    if (!kvTypes) expect(await follow(own, next, count)).toEqual(undisturbed);
    expect(read(from, 'chat', part)).toEqual(before);
    expect(from.stats().operations.puts).toBe(changes);
    expect(from.stats().retiredParts).toBe(0);
  }

  it('is refused a state that is not there', async () => {
    await expectRefused('not_found', await pool());
  });

  it('is refused a state with any byte changed', async () => {
    const from = await kept();
    const bytes = Uint8Array.from(read(from, 'chat', part) as Buffer);
    const empty = await sequence();
    for (const at of [0, 100, bytes.length >> 1, bytes.length - 40, bytes.length - 20]) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] as number) ^ 1;
      from.put('chat', part, damaged, { kind: 'attention' });
      expect(await codeOf(resume(empty, from, 'chat')), `byte ${at}`).toBe('part_corrupt');
    }
    await expectRefused('part_corrupt', from);
  });

  it('is refused a state of any other length, and what is no state', async () => {
    const from = await kept();
    const bytes = Uint8Array.from(read(from, 'chat', part) as Buffer);
    const others = [bytes.subarray(1), bytes.subarray(0, -1), bytes.subarray(0, 20), 'a text'];
    const empty = await sequence();
    for (const other of others) {
      from.put('chat', part, other);
      expect(await codeOf(resume(empty, from, 'chat'))).toBe('part_corrupt');
    }
    await expectRefused('part_corrupt', from);
  });

  it('is refused a state of another model', async () => {
    const other = await sequence({}, smallModel());
    await other.evaluateWithoutGeneratingNewTokens([3, 4, 5]);
    const from = await pool();
    await checkpoint(other, from, 'chat');
    await expectRefused('engine_state_foreign', from);
  });

  it.each([
    ['sequences', { sequences: 2 }],
    ['flash attention', { flashAttention: false }],
    ['key types', { experimentalKvCacheKeyType: 'Q8_0' }],
  ])('is refused a state of a context with other %s', async (_, options) => {
    const from = await kept({ flashAttention: true });
    await expectRefused('engine_state_foreign', from, { flashAttention: true, ...options });
  });

  it('is what it was when llama.cpp itself refuses a state', async () => {
    // By its name this context may be of the same kind.
    const from = await kept();
    await expectRefused('engine_state_foreign', from, { flashAttention: false });
    const empty = await sequence({ flashAttention: false });
    expect(await codeOf(resume(empty, from, 'chat'))).toBe('engine_state_foreign');
    expect(empty.contextTokens).toEqual([]);
    await empty.evaluateWithoutGeneratingNewTokens(prompt);
    expect(await follow(empty, next, count)).toEqual(undisturbed);
  });

  it('is refused a state that is too long for it', async () => {
    const from = await kept();
    const own = await sequence();
    const contextSize = { value: prompt.length - 1 };
    const small = Object.create(own, { contextSize }) as Sequence;
    expect(await codeOf(resume(small, from, 'chat'))).toBe('engine_prompt_too_long');
    expect(own.contextTokens).toEqual([]);
    await resume(own, from, 'chat');
  });

  it('is not kept while it takes in tokens', async () => {
    const into = await pool();
    const own = await evaluated();
    const going = Object.create(own, {
      saveStateToFile: {
        value: async (file: string) => {
          await own.evaluateWithoutGeneratingNewTokens([next]);
          return own.saveStateToFile(file);
        },
      },
    }) as Sequence;
    expect(await codeOf(checkpoint(going, into, 'chat'))).toBe('engine_busy');
    expect(into.contextCount).toBe(0);
    // Between two tokens of an answer it rests.
    const answer = own.evaluate([7], { temperature: 0 });
    await answer.next();
    await checkpoint(own, into, 'chat');
    await answer.return(undefined);
    const second = await sequence();
    await resume(second, into, 'chat');
    expect(second.contextTokens).toEqual(own.contextTokens);
  });

  it('is not brought back twice at once', async () => {
    const from = await kept();
    const own = await sequence();
    const first = resume(own, from, 'chat');
    expect(await codeOf(resume(own, from, 'chat'))).toBe('engine_busy');
    await first;
    expect(await follow(own, next, count)).toEqual(undisturbed);
  });

  it('is not kept where there is no room, where it has no tokens, or when nobody wants it', async () => {
    const small = await pool({ capacityBytes: 4 * mib });
    const own = await evaluated();
    const signal = AbortSignal.abort();
    expect(await codeOf(checkpoint(await sequence(), small, 'chat'))).toBe('invalid_argument');
    expect(await codeOf(checkpoint(own, small, 'chat', { signal }))).toBe('aborted');
    expect(await codeOf(checkpoint(own, small, 'chat', { ifVersion: 9 }))).toBe('version_conflict');
    expect(small.contextCount).toBe(0);
    const fill = (): void => {
      for (let at = 0; ; at++) small.put(`${at}`, 'p', new Uint8Array(16_384), { pinned: true });
    };
    expect(fill).toThrow('No room');
    expect(await codeOf(checkpoint(own, small, 'chat'))).toBe('pool_full');
    expect(small.has('chat')).toBe(false);
    expect(await follow(own, next, count)).toEqual(undisturbed);
  });
});
