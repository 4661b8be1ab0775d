/** `cenote bench SUITE`: starts the benchmarks of a clone. They measure peers too and are not in the package. */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { exitFailed, NotBuiltError, type Arguments, type Command } from './command.ts';
import type { Io } from './io.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const entry = `${root}dist-bench/bench/main.js`;
const compiler = `${root}node_modules/typescript/bin/tsc`;

export const benchCommand: Command = {
  name: 'bench',
  summary: 'Measure this machine with one of the benchmark suites',
  about: [
    'Benchmarks run from a clone, because they compare with peers that the package does not depend on. They are ' +
      'compiled at each start, so what is measured is what is there.',
  ],
  positionals: [
    {
      name: 'SUITE',
      help: 'alloc, store, many, pools, kv, engine, server or all',
    },
  ],
  options: {
    workers: { value: 'N', help: 'Worker threads.' },
    quick: { help: 'Fewer and shorter rounds: for a first look.' },
    only: { value: 'TEXT', help: 'Only scenarios whose name contains this.' },
    out: { value: 'DIR', help: 'Write results there too.' },
    ablation: { help: 'alloc: variants of our own allocator in place of peers.' },
    operations: { value: 'N', help: 'alloc: length of the run that memory is measured over.' },
    record: { value: 'FILE', help: 'alloc: write what a workload allocates, as gzipped CSV.' },
    replay: { value: 'FILE', help: 'alloc: play such a recording, and only that.' },
    python: { value: 'PATH', help: 'kv: a checkout of nano-vllm to compare with.' },
    'price-per-hour': { value: 'N', help: 'engine: what the machine costs.' },
  },
  examples: [
    { line: 'cenote bench alloc --workers 2', what: 'allocators, beside mimalloc and others' },
    { line: 'cenote bench store', what: 'reads and writes of a pool, beside lmdb' },
    { line: 'cenote bench server --only 4MiB', what: 'RESP, beside the Redis of this machine' },
    { line: 'cenote bench store --quick --json', what: 'rows for a script' },
  ],
  exitCodes: [
    { code: 0, meaning: 'measured' },
    { code: 1, meaning: 'failed, or there are no benchmarks here' },
    { code: 2, meaning: 'the command line is wrong' },
  ],
  async run(args: Arguments, io: Io): Promise<number> {
    compile();
    return launch(benchWords(args), io);
  },
};

/** Compiles `bench` and what it uses of `src`. @throws NotBuiltError */
function compile(): void {
  const isClone = existsSync(`${root}bench/main.ts`) && existsSync(compiler);
  if (!isClone) {
    const advice = 'In a clone with its dependencies installed: npx cenote bench SUITE';
    throw new NotBuiltError('benchmarks run from a clone of cenote', advice);
  }
  const words = [compiler, '-p', `${root}tsconfig.bench.json`];
  const { status } = spawnSync(process.execPath, words, { stdio: ['ignore', 2, 2] });
  if (status !== 0) {
    throw new NotBuiltError('the benchmarks do not compile', 'Mend what the compiler says above.');
  }
}

const valued = [
  'workers',
  'only',
  'out',
  'operations',
  'record',
  'replay',
  'python',
  'price-per-hour',
] as const;

function benchWords(args: Arguments): string[] {
  const words = [args.positional(0)];
  for (const name of valued) {
    const setting = args.setting(name);
    if (setting !== undefined) words.push(`--${name}`, setting.text);
  }
  for (const name of ['quick', 'json', 'ablation']) {
    if (args.flag(name)) words.push(`--${name}`);
  }
  return words;
}

/** The benchmark has the terminal; its exit code becomes ours. */
function launch(words: readonly string[], io: Io): Promise<number> {
  const child = spawn(process.execPath, [entry, ...words], { stdio: 'inherit', env: io.env });
  // Ctrl-C reaches the child too, as part of the foreground group: we wait for what it makes of it.
  const wait = (): void => {};
  const pass = (): void => void child.kill('SIGTERM');
  process.on('SIGINT', wait);
  process.on('SIGTERM', pass);
  return new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? exitFailed));
  }).finally(() => {
    process.off('SIGINT', wait);
    process.off('SIGTERM', pass);
  });
}
