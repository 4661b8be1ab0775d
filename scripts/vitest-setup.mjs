/**
 * Global set-up of vitest: tests that start processes and worker threads run what is in dist, so it must be
 * current. Errors of the compiler are printed but do not stop the run; `npm test` counts them.
 */

import { ensureBuilt, say } from './setup.mjs';

export function setup() {
  if (!ensureBuilt()) say('the build has errors; tests run on what the compiler wrote.');
}
