/** The `or` of WebAssembly: on its words what Atomics.or is, one for each thread, and nothing that regions depend on. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { RegionHandle } from '../../src/memory/region.ts';
import type * as SharedRegions from '../../src/memory/shared.ts';
import type * as WasmWords from '../../src/memory/wasm-words.ts';
import { rounds, seed } from '../support/seed.ts';
import { Random } from '../../src/base/random.ts';
import { codeOf, identity, mib, segmentOf } from './support/regions.ts';

const pageBytes = 65_536;

let wasm: typeof WasmWords;
let shared: typeof SharedRegions;

/** Nobody has asked for it yet. */
function asThreadBegins(): Promise<typeof SharedRegions> {
  vi.resetModules();
  return import('../../src/memory/shared.ts');
}

beforeEach(async () => {
  shared = await asThreadBegins();
  wasm = await import('../../src/memory/wasm-words.ts');
});

function newMemory(): WasmWords.WasmMemory {
  const memory = wasm.newWasmMemory(pageBytes);
  if (memory === undefined) throw new Error('no memory');
  return memory;
}

describe('orAt', () => {
  it('sets bits of one word, and tells what it was', () => {
    const memory = newMemory();
    const orAt = wasm.orAtOf(memory) as WasmWords.OrAt;
    const words = new Int32Array(memory.buffer);
    const model = new Int32Array(words.length);
    const random = new Random(seed());
    for (let i = 0; i < rounds(50_000, 500_000); i++) {
      const word = random.below(64);
      const bits = random.below(2) === 0 ? 1 << random.below(32) : random.below(2 ** 31) << 1;
      expect(orAt(word << 2, bits)).toBe(model[word]);
      model[word] = (model[word] as number) | bits;
      if (random.below(40) === 0) words[word] = model[word] = 0;
    }
    expect(words).toEqual(model);
  });

  it('is an atomic instruction: no other one refuses what is not aligned', () => {
    const memory = newMemory();
    const orAt = wasm.orAtOf(memory) as WasmWords.OrAt;
    expect(() => orAt(2, 1)).toThrow(/unaligned/);
    expect(new Int32Array(memory.buffer).every((word) => word === 0)).toBe(true);
  });

  it('loses no bit of another thread', async () => {
    const memory = newMemory();
    const orAt = wasm.orAtOf(memory) as WasmWords.OrAt;
    const words = new Int32Array(memory.buffer);
    const [count, turn] = [4096, 5000];
    const script = `
      const { workerData: { buffer, count, turn, passes } } = require('node:worker_threads');
      const words = new Int32Array(buffer);
      for (let pass = 1; pass <= passes; pass++) {
        while (Atomics.load(words, turn) !== pass);
        for (let i = 0; i < count; i++) Atomics.or(words, i, 1);
        Atomics.store(words, turn + 1, pass);
      }`;
    const passes = rounds(200, 2000);
    const workerData = { buffer: memory.buffer, count, turn, passes };
    const worker = new Worker(script, { eval: true, workerData });
    onTestFinished(async () => void (await worker.terminate()));
    await once(worker, 'online');
    for (let pass = 1; pass <= passes; pass++) {
      words.fill(0, 0, count);
      Atomics.store(words, turn, pass);
      for (let i = 0; i < count; i++) orAt(i << 2, 2);
      while (Atomics.load(words, turn + 1) !== pass);
      expect(words.subarray(0, count).every((word) => word === 3)).toBe(true);
    }
  });

  it('is for the first memory that asks, in each thread', () => {
    const [first, second] = [newMemory(), newMemory()];
    expect(wasm.orAtOf(second)).toBeTypeOf('function');
    expect(wasm.orAtOf(first)).toBeUndefined();
    expect(wasm.newWasmMemory(pageBytes)).toBeUndefined();
  });
});

function refuse(): never {
  throw new RangeError('not here');
}

/** What WebAssembly has, as an object that can be spread. */
function wasmParts(): Record<string, unknown> {
  const real = (globalThis as Record<string, unknown>)['WebAssembly'] as Record<string, unknown>;
  return { Memory: real['Memory'], Module: real['Module'], Instance: real['Instance'] };
}

describe('a region', () => {
  const options = { capacityBytes: 16 * mib, segmentBytes: 4 * mib, ...identity };

  it('has it for its first segment, where it is the first of its thread', () => {
    const [first, second] = [
      shared.createSharedRegion(options),
      shared.createSharedRegion(options),
    ];
    first.addSegment(() => {});
    expect(first.segments.map(({ orAt }) => typeof orAt)).toEqual(['function', 'undefined']);
    expect(segmentOf(second, 0).orAt).toBeUndefined();
    expect(second.handle).not.toHaveProperty('memory');
    const { words, orAt } = segmentOf(first, 0);
    expect(orAt?.(words.byteOffset + 400_000, 5)).toBe(0);
    expect(words[100_000]).toBe(5);
  });

  it('that another thread joins is the same memory, and has its own function there', async () => {
    const region = shared.createSharedRegion(options);
    const { words } = segmentOf(region, 0);
    words[100_000] = 1;
    const script = new URL('./fixtures/or-worker.mjs', import.meta.url);
    const worker = new Worker(script, { workerData: region.handle });
    const ended = once(worker, 'exit');
    expect(await once(worker, 'message')).toEqual([1]);
    expect(words[100_000]).toBe(3);
    await ended;
  });

  it('is refused with a memory that is none of one segment', () => {
    const { handle } = shared.createSharedRegion(options);
    const small = { buffer: new SharedArrayBuffer(4 * mib) };
    for (const memory of [null, {}, small, 5]) {
      const bad = { ...handle, memory } as RegionHandle;
      expect(codeOf(() => shared.attachSharedRegion(bad))).toBe('invalid_argument');
    }
  });

  it('that a thread without WebAssembly joins is the same memory', () => {
    const region = shared.createSharedRegion(options);
    vi.stubGlobal('WebAssembly', undefined);
    onTestFinished(() => void vi.unstubAllGlobals());
    const other = shared.attachSharedRegion(region.handle);
    segmentOf(other, 0).words[100_000] = 5;
    expect(segmentOf(region, 0).words[100_000]).toBe(5);
  });

  it('that could not be joined leaves the function to the next one', async () => {
    const full = shared.createSharedRegion({ ...options, ownersMax: 1 });
    const other = (await asThreadBegins()).createSharedRegion(options);
    const { attachSharedRegion } = await asThreadBegins();
    expect(codeOf(() => attachSharedRegion(full.handle))).toBe('too_many_owners');
    expect(segmentOf(attachSharedRegion(other.handle), 0).orAt).toBeTypeOf('function');
  });

  it.skipIf(process.platform !== 'linux')('takes no 10 GiB where addresses are limited', () => {
    const script = `
      import { createSharedRegion } from './dist/memory/shared.js';
      import { freshIdentity } from './dist/memory/identity.js';
      const region = createSharedRegion({ capacityBytes: 16 * 2 ** 20, ...freshIdentity() });
      process.stdout.write(typeof region.segments[0].orAt);`;
    const run = (limit: string): string =>
      execFileSync(
        '/bin/sh',
        ['-c', `${limit} exec "$0" --input-type=module -e "$1"`, process.execPath, script],
        { encoding: 'utf8' },
      );
    expect([run(''), run('ulimit -v 20000000;')]).toEqual(['function', 'undefined']);
  });

  it.each([
    ['no WebAssembly', undefined],
    ['no addresses for it', { Memory: refuse }],
    ['no code to be made', { ...wasmParts(), Module: refuse }],
  ])('does without where there is %s', (_, stub) => {
    vi.stubGlobal('WebAssembly', stub);
    onTestFinished(() => void vi.unstubAllGlobals());
    const region = shared.createSharedRegion(options);
    expect(segmentOf(region, 0).orAt).toBeUndefined();
    expect(shared.attachSharedRegion(region.handle).ownerSlot).toBe(1);
  });
});
