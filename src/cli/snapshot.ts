/** `cenote snapshot PATH DEST`. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { diskFolderName } from '../memory/pool-files.ts';
import { openPool } from '../pool/open.ts';
import { copyExitCodes, copyWithProgress } from './copy.ts';
import type { Arguments, Command } from './command.ts';
import type { Io } from './io.ts';
import { findOnePool } from './target.ts';

/** The disk tier as it is: nothing is moved for a copy. */
const withDisk = { tiers: { disk: { reserveBytes: 0 } } };

export const snapshotCommand: Command = {
  name: 'snapshot',
  summary: 'Copy a pool to a new folder, also while it is used',
  about: [
    'The copy is a pool of its own: it can be inspected, checked, opened and restored. It appears at DEST complete or ' +
      'not at all; Ctrl-C leaves nothing behind. Owners of the pool go on reading and writing: the copy is of one moment, and has ' +
      'the disk tier too, sealed as it is.',
  ],
  positionals: [
    { name: 'PATH', help: "the folder of a pool, or a server's data folder that holds one pool" },
    { name: 'DEST', help: 'a folder that does not exist yet' },
  ],
  options: {},
  examples: [
    { line: 'cenote snapshot ./data /backup/monday', what: 'back up the pool of a server' },
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
        const tiers = existsSync(join(source, diskFolderName)) ? withDisk : {};
        const pool = await openPool({ path: source, ...tiers });
        try {
          await pool.snapshot(destination, options);
        } finally {
          await pool.close();
        }
      },
    );
  },
};
