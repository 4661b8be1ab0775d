/** What commands over the records of a data folder share: an action, what it is done to, and the folder. */

import { existsSync } from 'node:fs';
import { fail } from '../errors.ts';
import { DataFolder } from '../guard/data-folder.ts';
import { type Arguments, type OptionSpec, UsageError } from './command.ts';
import type { Io } from './io.ts';
import { suggest } from './suggest.ts';

export const dataOption: OptionSpec = {
  value: 'DIR',
  help: 'Data folder of the server.',
  env: 'CENOTE_DATA_DIR',
  fallback: './data',
};

/** The first positional, or `list`. @throws UsageError when it is none of `actions` */
export function actionOf<T extends string>(
  args: Arguments,
  command: string,
  actions: readonly T[],
): T | 'list' {
  const [given] = args.positionals;
  if (given === undefined) return 'list';
  const action = actions.find((known) => known === given);
  if (action !== undefined) return action;
  const near = suggest(given, actions);
  const known = `Actions: list, ${actions.join(', ')}.`;
  throw new UsageError(
    `cenote ${command} does not know how to '${given}'`,
    near === undefined ? known : `Did you mean ${near}? ${known}`,
  );
}

/** The second positional. @throws UsageError when it is missing */
export function subjectOf(args: Arguments, what: string): string {
  const [action, subject] = args.positionals;
  if (subject !== undefined) return subject;
  throw new UsageError(`'${String(action)}' needs ${what}`, 'Name it after the action.');
}

/** The folder that --data names. @throws not_a_pool when it must be there and is not */
export function folderOf(args: Arguments, io: Io, mustExist: boolean): DataFolder {
  const path = args.required('data').text;
  if (mustExist && !existsSync(path)) fail('not_a_pool', `there is nothing at ${path}`);
  return new DataFolder(path, io.clock);
}
