/**
 * `npm start [-- OPTIONS]`: sets up a fresh clone, then serves. The command line runs in this very process, so
 * that signals, the terminal and the exit status are the server's own.
 */

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt, ensureInstalled, root, say } from './setup.mjs';

if (!ensureInstalled() || !ensureBuilt()) {
  say('set-up failed; the messages above say why.');
  process.exit(1);
}
const program = path.join(root, 'bin', 'cenote.js');
process.argv.splice(1, 1, program, 'serve');
await import(pathToFileURL(program).href);
