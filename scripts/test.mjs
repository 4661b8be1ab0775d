/**
 * `npm test`: everything this machine can run, in about twelve minutes on two cores. Installs, builds, checks the style, the types
 * and the package, runs the tests, and ends with a line `N passed, N failed, N skipped`.
 *
 * `npm test -- ARGUMENTS` runs only the tests, with the arguments given to vitest. CI=true raises the counts of
 * stochastic tests; `--soak` as the first argument runs them long. `--soak --kills N` only kills processes that share a pool, so often;
 * `--soak --minutes N` only lets sessions come and go, so long (60 in a whole soak).
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ensureBuilt, ensureInstalled, npmCommand, root, say } from './setup.mjs';

/** @typedef {import('./vitest-summary.mjs').Counts} Counts */

const scratch = mkdtempSync(path.join(os.tmpdir(), 'cenote-test-'));
const summaryFile = path.join(scratch, 'summary.json');

/** Bounds a run that hangs in spite of the limits for tests and files; a soak takes as long as it takes. */
const runLimitMs = 70 * 60_000;

/** One command, its output passed on; ended after `timeout` ms, if that is not 0. @returns {boolean} true when it ended with status 0 */
function succeeds(
  /** @type {readonly string[]} */ [command, ...args],
  /** @type {NodeJS.ProcessEnv} */ env = process.env,
  timeout = 0,
) {
  const { status } = spawnSync(/** @type {string} */ (command), args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env,
    timeout,
    killSignal: 'SIGKILL',
  });
  return status === 0;
}

/** A script of package.json. */
function script(/** @type {string} */ name) {
  return succeeds([...npmCommand(), 'run', '--silent', name]);
}

/** A program of a development dependency. */
function tool(/** @type {string} */ name, /** @type {readonly string[]} */ ...args) {
  return succeeds([path.join(root, 'node_modules', '.bin', name), ...args]);
}

/** Packs the project as it would be published and has the package's entry points checked. */
function checkPackage() {
  const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', scratch];
  if (!succeeds([...npmCommand(), ...pack])) return false;
  const name = readdirSync(scratch).find((file) => file.endsWith('.tgz'));
  if (name === undefined) return false;
  const tarball = path.join(scratch, name);
  const isPublishable = tool('publint', 'run', tarball, '--strict');
  return tool('attw', tarball, '--profile', 'esm-only') && isPublishable;
}

/** The steps beside the tests, each counted as one test. */
const steps = /** @type {const} */ ([
  ['build', ensureBuilt],
  ['lint', () => script('lint')],
  ['format', () => script('format:check')],
  ['types', () => script('typecheck')],
  ['package', checkPackage],
  ['unused code', () => script('unused')],
]);

/** What `--kills N` runs: owners of an allocator, and users of a pool. */
const killTests = ['test/alloc/kills.test.ts', 'test/histories/soak.test.ts'];
/** What `--minutes N` runs. */
const sessionTests = ['test/engine/sessions.test.ts'];

/** Runs the tests. @returns {Counts} */
function runTests(/** @type {readonly string[]} */ args, /** @type {boolean} */ soak) {
  const env = {
    ...process.env,
    CENOTE_TEST_SUMMARY: summaryFile,
    ...(soak ? { CENOTE_SOAK: '1', CENOTE_FILE_LIMIT_MS: 'Infinity' } : {}),
  };
  const vitest = path.join(root, 'node_modules', '.bin', 'vitest');
  const reporters = ['default', './scripts/vitest-watch.mjs', './scripts/vitest-summary.mjs'];
  const isClean = succeeds(
    [vitest, 'run', ...reporters.map((name) => `--reporter=${name}`), ...args],
    env,
    soak ? 0 : runLimitMs,
  );
  if (!existsSync(summaryFile)) return { passed: 0, failed: 1, skipped: [] };
  const counts = /** @type {Counts} */ (JSON.parse(readFileSync(summaryFile, 'utf8')));
  if (!isClean && counts.failed === 0) counts.failed = 1;
  return counts;
}

/** Says what was skipped, once per reason; the reason names the command that would provide what is missing. */
function reportSkipped(/** @type {Counts['skipped']} */ skipped) {
  /** @type {Map<string, number>} */
  const byReason = new Map();
  for (const { name, note } of skipped)
    byReason.set(note ?? name, (byReason.get(note ?? name) ?? 0) + 1);
  for (const [reason, count] of byReason) console.log(`skipped ${count}: ${reason}`);
}

/** @returns {Counts} */
function runAll(/** @type {readonly string[]} */ args) {
  const soak = args[0] === '--soak';
  const testArgs = soak ? args.slice(1) : [...args];
  if (soak && testArgs[0] === '--kills') {
    process.env['CENOTE_KILLS'] = testArgs[1];
    testArgs.splice(0, 2, ...killTests);
  }
  if (soak && testArgs[0] === '--minutes') {
    process.env['CENOTE_MINUTES'] = testArgs[1];
    testArgs.splice(0, 2, ...sessionTests);
  }
  if (!ensureInstalled()) return { passed: 0, failed: 1, skipped: [] };
  const results = (args.length > 0 ? [] : steps).map(([name, run]) => {
    say(`${name} …`);
    const startedMs = performance.now();
    const ok = run();
    return { name, ok, seconds: (performance.now() - startedMs) / 1000 };
  });
  say('tests …');
  const counts = runTests(testArgs, soak);
  for (const { name, ok, seconds } of results) {
    console.log(`${ok ? 'passed' : 'FAILED'}  ${name} (${seconds.toFixed(1)} s)`);
    if (ok) counts.passed += 1;
    else counts.failed += 1;
  }
  return counts;
}

try {
  const { passed, failed, skipped } = runAll(process.argv.slice(2));
  reportSkipped(skipped);
  console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  if (failed > 0) process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
