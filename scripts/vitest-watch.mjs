/**
 * Reporter of vitest that ends what hangs. A time limit of vitest ends a test that waits, not one whose process loops or is blocked: that would
 * hold up the run for ever. Says at once what fails, and which tests have been running for long; once a file is beyond its limit its process is
 * ended, vitest counts the file as failed, and goes on.
 */

import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { watchFolder } from './vitest-setup.mjs';

/** @typedef {import('vitest/node').TestModule} TestModule */

/** How often to look. */
const intervalMs = 5000;
/** A file is mentioned when it has run for so long, and then each time as long again. */
const longMs = 120_000;
/** To find out where a process is. */
const whereMs = 20_000;
/** For one file; the longest, the table of mutants, takes less than half of it when nothing else runs. */
const usualLimitMs = (process.env['CI'] === 'true' ? 25 : 10) * 60_000;
const limitMs = Number(process.env['CENOTE_FILE_LIMIT_MS'] ?? usualLimitMs);

export default class WatchReporter {
  /** By file. @type {Map<string, { startedMs: number, saidMs: number, isEnded: boolean }>} */
  #running = new Map();
  /** @type {NodeJS.Timeout | undefined} */
  #timer;

  onTestRunStart() {
    this.#timer = setInterval(() => this.#look(), intervalMs);
    this.#timer.unref();
  }

  /** @param {TestModule} testModule */
  onTestModuleStart({ moduleId }) {
    const now = performance.now();
    this.#running.set(moduleId, { startedMs: now, saidMs: now, isEnded: false });
  }

  /** @param {TestModule} testModule */
  onTestModuleEnd({ moduleId }) {
    this.#running.delete(moduleId);
  }

  /** Said at once: a run may be ended before vitest tells of what failed. @param {import('vitest/node').TestCase} testCase */
  onTestCaseResult(testCase) {
    for (const { message } of testCase.result().errors ?? [])
      console.log(`failed: ${testCase.fullName}: ${message}`);
  }

  onTestRunEnd() {
    clearInterval(this.#timer);
  }

  #look() {
    const now = performance.now();
    for (const [file, state] of this.#running) {
      // vitest tells of no end of a file whose process was ended.
      if (state.isEnded) continue;
      const isBeyond = now - state.startedMs > limitMs;
      if (!isBeyond && now - state.saidMs < longMs) continue;
      state.saidMs = now;
      const runner = runnerOf(file);
      const seconds = Math.round((now - state.startedMs) / 1000);
      console.log(
        `running for ${seconds} s: ${path.relative('.', file)}: ${runner?.test ?? 'not yet started'}`,
      );
      if (!isBeyond || runner === undefined) continue;
      state.isEnded = true;
      console.log('beyond its limit: its process is ended, and those that it has started');
      end(runner.pid);
    }
  }
}

/** Says where a process is, and ends it with those that it has started. @param {number} pid */
function end(pid) {
  const args = ['--no-warnings', '--experimental-websocket', 'scripts/where.mjs', String(pid)];
  execFile(process.execPath, args, { timeout: whereMs }, (_, stdout, stderr) => {
    console.log(`${stdout}${stderr}`);
    for (const one of [...childrenOf(pid), pid]) kill(one);
  });
}

/** The process that runs a file, and its test of now. @param {string} file */
function runnerOf(file) {
  for (const pid of readdirSync(watchFolder())) {
    const [said, test] = readFileSync(path.join(watchFolder(), pid), 'utf8').split('\n');
    if (said === file) return { pid: Number(pid), test };
  }
  return undefined;
}

/** Processes that a process has started, and those that they have started. @param {number} pid @returns {number[]} */
function childrenOf(pid) {
  if (process.platform !== 'linux') return [];
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  if (children === '') return [];
  return children.split(' ').flatMap((child) => [...childrenOf(Number(child)), Number(child)]);
}

/** @param {number} pid */
function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
