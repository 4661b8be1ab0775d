/** `cenote restore SRC PATH`. */

import { restorePool } from '../pool/snapshot.ts';
import { copyExitCodes, copyWithProgress } from './copy.ts';
import type { Arguments, Command } from './command.ts';
import type { Io } from './io.ts';

export const restoreCommand: Command = {
  name: 'restore',
  summary: 'Make a pool from a snapshot',
  about: [
    'Every checksum is verified on the way: a damaged snapshot is refused. The pool appears at PATH complete or not at ' +
      'all; Ctrl-C leaves nothing behind. To give a server its pool back, restore to DATA/tenants/default.',
  ],
  positionals: [
    { name: 'SRC', help: 'the folder of a snapshot' },
    { name: 'PATH', help: 'where the pool goes: a folder that does not exist yet' },
  ],
  options: {},
  examples: [
    {
      line: 'cenote restore /backup/monday ./data/tenants/default',
      what: 'give a stopped server its pool back',
    },
    {
      line: 'cenote restore /backup/monday ./look && cenote inspect ./look',
      what: 'look into a backup',
    },
  ],
  exitCodes: copyExitCodes,
  run(args: Arguments, io: Io): Promise<number> {
    const [source, destination] = [args.positional(0), args.positional(1)];
    return copyWithProgress(
      { label: 'restore', source, destination, json: args.flag('json') },
      io,
      (options) => restorePool(source, destination, options),
    );
  },
};
