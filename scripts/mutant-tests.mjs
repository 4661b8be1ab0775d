/** Runs tests in a copy of the tree, for scripts/mutants.mjs: by one vitest per copy, which is ended with all that it has started when a run hangs. */

import { spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { root } from './setup.mjs';

/**
 * Tests by their full names, which stand in `file`. `changed`: what is not as it was at the last run. `brief` where they need not visit every point
 * that there is; `bail`: the first that fails ends the run.
 *
 * @typedef {{ changed: readonly string[], file: string, names: readonly string[], brief: boolean, bail: boolean }} Selection
 */

/** @typedef {{ name: string, status: string, why: string }} Outcome */
/** @typedef {{ tests: Outcome[], faults: string[] }} Told */

/** Every point that a test may choose is visited, from the same seed, so that what is killed once is killed always. */
const environment = { CENOTE_SEED: '1' };

/** Last characters of what a run has printed. */
const outputChars = 4000;

/** All tests of a file that are wanted, without a mutant, may take so many times as long as one. */
const wholeRuns = 5;

/** What a copy needs to run tests. */
const copied = ['src', 'test', 'bench', 'models', 'package.json', 'tsconfig.json'];

/** Of the variables around us, those of a vitest that runs us would confuse another one. */
const variables = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(VITEST.*|TEST|NODE_ENV|CI)$/.test(name)),
);

/** @param {string} text */
export function escapeRegExp(text) {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
}

/**
 * A copy of the tree with a configuration of its own: nothing is built, and nothing is written beside it.
 *
 * @param {number} limitSeconds
 */
function copyTree(limitSeconds) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'cenote-mutants-'));
  for (const name of copied)
    cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  // As scripts/vitest-setup.mjs does for a run of tests.
  chmodSync(folder, 0o755);
  mkdirSync(temporaryIn(folder));
  chmodSync(temporaryIn(folder), 0o1777);
  const config = {
    cacheDir: path.join(folder, 'cache'),
    test: {
      include: ['test/**/*.test.ts'],
      pool: 'forks',
      fileParallelism: false,
      testTimeout: limitSeconds * 1000,
    },
  };
  const plugin = JSON.stringify(path.join(root, 'scripts', 'vitest-imports.ts'));
  writeFileSync(
    path.join(folder, 'vitest.config.mjs'),
    `import { directImports } from ${plugin};\n` +
      `export default { plugins: [directImports()], ...${JSON.stringify(config)} };\n`,
  );
  return folder;
}

/** For what tests leave behind. @param {string} folder of a copy */
function temporaryIn(folder) {
  return path.join(folder, 'temporary');
}

/** A copy of the tree, and the vitest that runs tests in it. */
export class TestTree {
  #limitSeconds;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #vitest;
  #output = '';

  /** @param {number} limitSeconds of a run of one test */
  constructor(limitSeconds) {
    this.#limitSeconds = limitSeconds;
    this.folder = copyTree(limitSeconds);
  }

  /** @param {Selection} selection @returns {Promise<{ tests: Outcome[], hung: boolean, output: string }>} */
  async run(selection) {
    const vitest = (this.#vitest ??= this.#start());
    this.#output = '';
    let hung = false;
    const timer = setTimeout(
      () => {
        hung = true;
        this.#end();
      },
      this.#limitSeconds * (selection.bail ? 1 : wholeRuns) * 1000,
    );
    /** @type {Told | undefined} */
    const told = await new Promise((resolve) => {
      vitest.once('message', resolve);
      vitest.once('close', () => resolve(undefined));
      vitest.send(selection);
    });
    clearTimeout(timer);
    vitest.removeAllListeners('message').removeAllListeners('close');
    if (told === undefined) this.#end();
    const { tests, faults } = told ?? { tests: [], faults: ['vitest has ended'] };
    return { tests, hung, output: [...faults, this.#output].join('\n') };
  }

  #start() {
    const script = path.join(root, 'scripts', 'mutant-vitest.mjs');
    const child = spawn(process.execPath, [script], {
      cwd: this.folder,
      env: { ...variables, ...environment, TMPDIR: temporaryIn(this.folder) },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    });
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => {
        this.#output = (this.#output + String(chunk)).slice(-outputChars);
      });
    return child;
  }

  /** vitest runs tests in processes of its own: the group goes, not the child alone. */
  #end() {
    const pid = this.#vitest?.pid;
    this.#vitest = undefined;
    try {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile, with all that it had started.
    }
  }

  remove() {
    this.#end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
