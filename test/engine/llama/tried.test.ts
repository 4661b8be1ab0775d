/** What is remembered of models that were tried, and what is said of those that fail. The process is made up: no library is needed. */

import type * as childProcess from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it, vi } from 'vitest';
import { trialLimits, tryModel } from '../../../src/engine/llama/tried.ts';

/** What the next process does, as a program. */
const made = vi.hoisted(() => ({ program: '', count: 0 }));

vi.mock('node:child_process', async (original) => {
  const real = await original<typeof childProcess>();
  return {
    ...real,
    spawn: (command: string, _: string[], options: object) => {
      made.count += 1;
      return real.spawn(command, ['-e', made.program], options);
    },
  };
});

const folder = mkdtempSync(join(tmpdir(), 'cenote-tried-'));
const path = join(folder, 'm.gguf');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const good = 'console.log(JSON.stringify({ message: "" }))';
const hangs = 'setInterval(() => {}, 1000)';
const hurried = { ...trialLimits, timeBaseMs: 20, timePerMibMs: 0 };
let written = 0;

/** The file is another one now. */
function write(): void {
  writeFileSync(path, 'x'.repeat(++written));
}

beforeEach(() => {
  made.count = 0;
  write();
});

it('a model is tried once', async () => {
  made.program = good;
  await Promise.all([tryModel(path, 'f16'), tryModel(path, 'f16')]);
  await tryModel(path, 'f16');
  expect(made.count).toBe(1);
  await tryModel(path, 'q8_0');
  expect(made.count).toBe(2);
});

it('a file that is another one is tried again', async () => {
  made.program = good;
  await tryModel(path, 'f16');
  write();
  made.program = 'process.abort()';
  await expect(tryModel(path, 'f16')).rejects.toMatchObject({
    code: 'engine_model_invalid',
    message: `llama.cpp ended its process on ${path} (SIGABRT).`,
  });
  await expect(tryModel(path, 'f16')).rejects.toThrow('SIGABRT');
  expect(made.count).toBe(2);
});

it('a model that took too long is tried again', async () => {
  made.program = hangs;
  await expect(tryModel(path, 'f16', hurried)).rejects.toMatchObject({
    code: 'engine_model_invalid',
    message: `llama.cpp has not loaded ${path} within 20 ms.`,
  });
  made.program = good;
  await tryModel(path, 'f16');
  expect(made.count).toBe(2);
});

it.each(['SIGKILL', 'SIGTERM'])(
  'a model whose process was ended with %s is tried again',
  async (signal) => {
    made.program = `process.kill(process.pid, '${signal}'); ${hangs}`;
    await expect(tryModel(path, 'f16')).rejects.toThrow(`(${signal})`);
    made.program = good;
    await tryModel(path, 'f16');
  },
);

it('a refusal says what the library said, in letters that can be shown', async () => {
  const assertion = 'lots of lines\\n/a/b.cpp:7: GGML_ASSERT(x > 0) failed\\u001b[31m\\nmore';
  made.program = `process.stderr.write("${assertion}", () => process.abort())`;
  await expect(tryModel(path, 'f16')).rejects.toThrow(
    /\(SIGABRT\): GGML_ASSERT\(x > 0\) failed\?\[31m$/,
  );
});

it('what is not the fault of the file has its own code, and is tried again', async () => {
  made.program = `console.log(JSON.stringify({ code: 'engine_failed', message: 'No memory.' }))`;
  for (let time = 1; time < 3; time++) {
    await expect(tryModel(path, 'f16')).rejects.toMatchObject({
      code: 'engine_failed',
      message: 'No memory.',
    });
    expect(made.count).toBe(time);
  }
});
