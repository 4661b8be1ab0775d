/** `cenote keys`: who may use a server. */

import { scopes, type KeyInfo, type NewKey } from '../guard/api.ts';
import { createKey, deleteKey } from '../guard/edits.ts';
import { keyInfoOf } from '../guard/keyring.ts';
import { checkScopes } from '../guard/quotas.ts';
import { actionOf, dataOption, folderOf, subjectOf } from './action.ts';
import { printable } from './ansi.ts';
import { exitOk, type Arguments, type Command } from './command.ts';
import { printJson, printLine, type Io } from './io.ts';
import { table } from './table.ts';

/** What a key may do unless that is given: everything but administration. */
const usualScopes = scopes.filter((scope) => scope !== 'admin').join(',');

export const keysCommand: Command = {
  name: 'keys',
  summary: 'List, create and delete the API keys of a server',
  about: [
    'Keys are in DATA/keys.json, which holds only their hashes: a new key is shown once. A server that is running takes ' +
      'changes within about a second.',
    `Scopes: ${scopes.join(', ')}. A key sees what its tenant keeps and nothing else; admin is for tenants and keys.`,
    'JSON: [{id, tenant, scopes, label, createdAtMs}]; create gives one of these with its key, delete {deleted}.',
  ],
  positionals: [
    { name: 'ACTION', help: 'list (the default), create or delete', optional: true },
    { name: 'ID', help: 'of the key to delete, as list shows it', optional: true },
  ],
  options: {
    data: dataOption,
    tenant: { value: 'NAME', help: 'Tenant of the new key, or whose keys to list.' },
    scopes: { value: 'LIST', help: 'Of the new key, between commas.', fallback: usualScopes },
    label: { value: 'TEXT', help: 'Of the new key, for people.' },
  },
  examples: [
    { line: 'cenote keys', what: 'who may use the server of ./data' },
    {
      line: 'cenote keys create --tenant acme --scopes ctx:read --label dashboard',
      what: 'a key that can only read',
    },
    { line: 'cenote keys delete 3f9a2c51d07e', what: 'from now on that key is refused' },
  ],
  exitCodes: [
    { code: 0, meaning: 'done' },
    { code: 1, meaning: 'there is no such tenant or key, or the folder cannot be written' },
    { code: 2, meaning: 'the command line is wrong' },
  ],
  async run(args: Arguments, io: Io): Promise<number> {
    switch (actionOf(args, 'keys', ['create', 'delete'])) {
      case 'create':
        await create(args, io);
        break;
      case 'delete':
        await remove(args, io);
        break;
      case 'list':
        await list(args, io);
    }
    return exitOk;
  },
};

async function list(args: Arguments, io: Io): Promise<void> {
  const { keys = [] } = await folderOf(args, io, true).read();
  const tenant = args.setting('tenant')?.text;
  const shown = keys.map(keyInfoOf).filter((key) => tenant === undefined || key.tenant === tenant);
  if (args.flag('json')) printJson(io.stdout, shown.map(jsonOf));
  else if (shown.length === 0) printLine(io.stderr, 'there are no keys');
  else for (const line of rows(shown, io)) printLine(io.stdout, line);
}

function rows(keys: readonly KeyInfo[], io: Io): string[] {
  return table(
    (['id', 'tenant', 'scopes', 'created', 'label'] as const).map((title) => ({
      title,
      align: 'left',
    })),
    keys.map(({ id, tenant, scopes: allowed, label = '', createdAtMs }) => [
      id,
      tenant,
      allowed.join(','),
      new Date(createdAtMs).toISOString().slice(0, 16).replace('T', ' '),
      printable(label),
    ]),
    io.out,
  );
}

async function create(args: Arguments, io: Io): Promise<void> {
  const label = args.setting('label')?.text;
  const made = await createKey(folderOf(args, io, false), {
    tenant: args.setting('tenant')?.text ?? 'default',
    scopes: checkScopes(args.required('scopes').text.split(',')),
    ...(label !== undefined && { label }),
  });
  if (args.flag('json')) printJson(io.stdout, { ...jsonOf(made), key: made.key });
  else printNew(made, io);
}

/** The key alone on stdout, so that it can be taken by a script. */
function printNew({ id, tenant, key }: NewKey, io: Io): void {
  printLine(io.stderr, `key ${id} of tenant ${tenant}; keep it: it is shown this once`);
  printLine(io.stdout, key);
}

async function remove(args: Arguments, io: Io): Promise<void> {
  const id = subjectOf(args, 'the id of a key');
  const { tenant } = await deleteKey(folderOf(args, io, true), id);
  if (args.flag('json')) printJson(io.stdout, { deleted: 1 });
  else printLine(io.stderr, `key ${id} of tenant ${tenant} is deleted`);
}

function jsonOf({ id, tenant, scopes: allowed, label, createdAtMs }: KeyInfo): object {
  return { id, tenant, scopes: allowed, label: label ?? null, createdAtMs };
}
