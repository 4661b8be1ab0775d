/**
 * Global set-up of vitest: tests that start processes and worker threads run what is in dist, so it must be
 * current. Errors of the compiler are printed but do not stop the run; `npm test` counts them.
 */

import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ensureBuilt, say } from './setup.mjs';

/** Where test/support/watched.ts says what a process runs; vitest-watch.mjs reads it. */
export const watchFolder = path.join(tmpdir(), `cenote-watch-${process.pid}`);

export function setup() {
  mkdirSync(watchFolder, { recursive: true });
  if (!ensureBuilt()) say('the build has errors; tests run on what the compiler wrote.');
}

export function teardown() {
  rmSync(watchFolder, { recursive: true, force: true });
}
