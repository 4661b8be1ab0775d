/** Every command, in one table. */

import { CommandTable } from '../command.ts';
import { hashCommands } from './hashes.ts';
import { keyCommands } from './keys.ts';
import { serverCommands } from './server.ts';
import { sessionCommands } from './sessions.ts';
import { stringCommands } from './strings.ts';

export const commands: CommandTable = new CommandTable([
  ...sessionCommands,
  ...serverCommands(() => commands),
  ...stringCommands,
  ...keyCommands,
  ...hashCommands,
]);
