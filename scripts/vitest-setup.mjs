/**
 * Global set-up of vitest: tests that start processes and worker threads run what is in dist, so it must be
 * current. Errors of the compiler are printed but do not stop the run; `npm test` counts them.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ensureBuilt, root, say } from './setup.mjs';

/** Where test/support/watched.ts says what a process runs; vitest-watch.mjs reads it. */
export const watchFolder = path.join(tmpdir(), `cenote-watch-${process.pid}`);

export function setup() {
  if (process.env['CI'] === 'true') drawSeedsFromCommit();
  mkdirSync(watchFolder, { recursive: true });
  if (!ensureBuilt()) say('the build has errors; tests run on what the compiler wrote.');
}

/** Every commit tries other seeds, and every machine that tests it the same. */
function drawSeedsFromCommit() {
  const { status, stdout } = spawnSync('git', ['rev-parse', 'HEAD^{tree}'], { cwd: root });
  if (status === 0) process.env['CENOTE_SEEDS_OF'] ??= stdout.toString().trim();
}

export function teardown() {
  rmSync(watchFolder, { recursive: true, force: true });
}
