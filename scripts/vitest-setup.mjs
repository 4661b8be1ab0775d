/**
 * Global set-up of vitest: tests that start processes and worker threads run what is in dist, so it must be
 * current. Errors of the compiler are printed but do not stop the run; `npm test` counts them.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ensureBuilt, root, say } from './setup.mjs';

/** As of /tmp: some tests run processes of other users. */
const openToAll = 0o1777;

/** Where test/support/watched.ts says what a process runs, in the folder of the run; vitest-watch.mjs reads it. */
export function watchFolder() {
  return path.join(tmpdir(), 'watched');
}

/** What tests leave in temporary folders, and what is made once for many of them, goes with the run. @type {string | undefined} */
let runFolder;
/** @type {string | undefined} */
let folderBefore;

/** Called for each of the projects in vitest.config.ts. */
export function setup() {
  if (process.env['CENOTE_RUN'] === String(process.pid)) return;
  process.env['CENOTE_RUN'] = String(process.pid);
  if (process.env['CI'] === 'true') drawSeedsFromCommit();
  // What outlives a run, such as other releases of Node, is kept where it was.
  process.env['CENOTE_CACHE'] ??= tmpdir();
  leaveOutCertificates();
  runFolder = mkdtempSync(path.join(tmpdir(), 'cenote-run-'));
  chmodSync(runFolder, openToAll);
  folderBefore = process.env['TMPDIR'];
  process.env['TMPDIR'] = runFolder;
  mkdirSync(watchFolder());
  if (!ensureBuilt()) say('the build has errors; tests run on what the compiler wrote.');
}

/** Every commit tries other seeds, and every machine that tests it the same. */
function drawSeedsFromCommit() {
  const { status, stdout } = spawnSync('git', ['rev-parse', 'HEAD^{tree}'], { cwd: root });
  if (status === 0) process.env['CENOTE_SEEDS_OF'] ??= stdout.toString().trim();
}

/**
 * Where NODE_EXTRA_CA_CERTS is set, each Node.js that starts reads those certificates, and the system's are two thirds of its start. Of what tests start only
 * npm needs them (test/package/install.test.ts).
 */
function leaveOutCertificates() {
  const file = process.env['NODE_EXTRA_CA_CERTS'];
  if (file === undefined) return;
  process.env['CENOTE_NPM_CA_CERTS'] = file;
  delete process.env['NODE_EXTRA_CA_CERTS'];
}

export function teardown() {
  if (runFolder === undefined) return;
  // Processes that have run tests may yet end.
  rmSync(runFolder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  runFolder = undefined;
  if (folderBefore === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = folderBefore;
  delete process.env['CENOTE_RUN'];
  const certificates = process.env['CENOTE_NPM_CA_CERTS'];
  if (certificates === undefined) return;
  process.env['NODE_EXTRA_CA_CERTS'] = certificates;
  delete process.env['CENOTE_NPM_CA_CERTS'];
}
