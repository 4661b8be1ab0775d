/** `cenote snapshot PATH DEST`. */

import { openPool } from '../pool/open.ts';
import { copyExitCodes, copyWithProgress } from './copy.ts';
import type { Arguments, Command } from './command.ts';
import type { Io } from './io.ts';
import { findOnePool } from './target.ts';

export const snapshotCommand: Command = {
  name: 'snapshot',
  summary: 'Copy a pool that nobody has open to a new folder',
  about: [
    'The copy is a pool of its own: it can be inspected, checked, opened and restored. It appears at DEST complete or ' +
      'not at all; Ctrl-C leaves nothing behind. Stop the server first: a pool in use is refused.',
  ],
  positionals: [
    { name: 'PATH', help: "the folder of a pool, or a server's data folder that holds one pool" },
    { name: 'DEST', help: 'a folder that does not exist yet' },
  ],
  options: {},
  examples: [
    { line: 'cenote snapshot ./data /backup/monday', what: 'back up the pool of a stopped server' },
    {
      line: 'cenote snapshot ./pools/acme ./acme-copy --json',
      what: 'what was copied, for a script',
    },
  ],
  exitCodes: copyExitCodes,
  async run(args: Arguments, io: Io): Promise<number> {
    const source = findOnePool(args.positional(0)).path;
    const destination = args.positional(1);
    // Opening for writing would create a pool where there is none; reading refuses.
    await (await openPool({ path: source, readOnly: true })).close();
    return copyWithProgress(
      { label: 'snapshot', source, destination, json: args.flag('json') },
      io,
      async (options) => {
        const pool = await openPool({ path: source, exclusive: true });
        try {
          await pool.snapshot(destination, options);
        } finally {
          await pool.close();
        }
      },
    );
  },
};
