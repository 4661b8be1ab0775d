/** `cenote tenants`: who shares a server, and how much of it each may use. */

import type { Quotas } from '../guard/api.ts';
import { deleteTenant, putTenant, shareOfDefault } from '../guard/edits.ts';
import { defaultTenant } from '../guard/quotas.ts';
import type { TenantRecords } from '../guard/records.ts';
import { actionOf, dataOption, folderOf, subjectOf } from './action.ts';
import { exitOk, UsageError, type Arguments, type Command, type OptionSpec } from './command.ts';
import { formatBytes, formatCount, parseBytes, parseInteger } from './format.ts';
import { printJson, printLine, type Io } from './io.ts';
import { table, type Column } from './table.ts';

interface QuotaOption {
  readonly option: string;
  readonly quota: keyof Quotas;
  readonly isBytes: boolean;
  readonly spec: OptionSpec;
}

const quotaOptions: readonly QuotaOption[] = [
  {
    option: 'capacity',
    quota: 'capacityBytes',
    isBytes: true,
    spec: {
      value: 'SIZE',
      help: "Memory of its pool, taken from the server's --capacity; beyond it the coldest parts go.",
    },
  },
  {
    option: 'stored',
    quota: 'storedBytes',
    isBytes: true,
    spec: { value: 'SIZE', help: 'Bytes that its parts may hold; beyond it writes are refused.' },
  },
  {
    option: 'contexts',
    quota: 'contexts',
    isBytes: false,
    spec: { value: 'N', help: 'Contexts that it may have.' },
  },
  {
    option: 'in-flight',
    quota: 'inFlightBytes',
    isBytes: true,
    spec: { value: 'SIZE', help: 'Bytes of its requests and answers that may be under way.' },
  },
  {
    option: 'ops',
    quota: 'opsPerSecond',
    isBytes: false,
    spec: { value: 'N', help: 'Operations per second.' },
  },
];

export const tenantsCommand: Command = {
  name: 'tenants',
  summary: 'List, set and delete the tenants of a server',
  about: [
    'Each tenant has a pool of its own, which the keys of no other tenant reach. Tenants are in DATA/tenants.json; a server ' +
      'that is running takes changes within about a second. Tenant default is always there, and has the capacity that ' +
      'the others leave.',
    '`set` makes a tenant (`cenote keys create --tenant NAME` makes a key for it) or replaces all its quotas: what is not given is not bounded. `delete` removes a tenant, its keys ' +
      'and everything that it keeps.',
    'JSON: [{name, createdAtMs, capacityBytes, quotas}]; set gives {name, createdAtMs, quotas, created}, delete {deleted}.',
  ],
  positionals: [
    { name: 'ACTION', help: 'list (the default), set or delete', optional: true },
    { name: 'NAME', help: 'of the tenant: a-z, 0-9, _ and -', optional: true },
  ],
  options: {
    data: dataOption,
    ...Object.fromEntries(quotaOptions.map(({ option, spec }) => [option, spec])),
    yes: { help: 'Delete without a question: nothing of the tenant is left.' },
  },
  examples: [
    { line: 'cenote tenants', what: 'who shares the server of ./data' },
    {
      line: 'cenote tenants set acme --capacity 512MiB --ops 1000',
      what: 'make a tenant, or change its quotas',
    },
    { line: 'cenote tenants delete acme --yes', what: 'with everything that it keeps' },
  ],
  exitCodes: [
    { code: 0, meaning: 'done' },
    {
      code: 1,
      meaning:
        'there is no such tenant, the capacity does not suffice, or the folder cannot be written',
    },
    { code: 2, meaning: 'the command line is wrong' },
  ],
  async run(args: Arguments, io: Io): Promise<number> {
    switch (actionOf(args, 'tenants', ['set', 'delete'])) {
      case 'set':
        await set(args, io);
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

interface Row {
  readonly name: string;
  readonly createdAtMs: number;
  /** Undefined: of default, before a server has said what there is. */
  readonly capacityBytes: number | undefined;
  readonly quotas: Quotas;
}

async function list(args: Arguments, io: Io): Promise<void> {
  const { tenants } = await folderOf(args, io, true).read();
  const listed = rowsOf(tenants);
  if (args.flag('json')) {
    const rows = listed.map((row) => ({ ...row, capacityBytes: row.capacityBytes ?? null }));
    printJson(io.stdout, rows);
    return;
  }
  for (const line of pictured(listed, io)) printLine(io.stdout, line);
}

function rowsOf(records: TenantRecords): Row[] {
  const others = records.tenants.filter(({ name }) => name !== defaultTenant);
  const own = records.tenants.find(({ name }) => name === defaultTenant);
  const capacityBytes =
    records.capacityBytes === undefined
      ? undefined
      : shareOfDefault(records, records.capacityBytes);
  return [
    {
      name: defaultTenant,
      createdAtMs: own?.createdAtMs ?? 0,
      capacityBytes,
      quotas: own?.quotas ?? {},
    },
    ...others.map((tenant) => ({ ...tenant, capacityBytes: tenant.quotas.capacityBytes })),
  ];
}

function pictured(listed: readonly Row[], io: Io): string[] {
  const columns: readonly Column[] = [
    { title: 'tenant', align: 'left' },
    ...quotaOptions.map(({ option }): Column => ({ title: option, align: 'right' })),
  ];
  return table(
    columns,
    listed.map(({ name, capacityBytes, quotas }) => [
      name,
      ...quotaOptions.map(({ quota, isBytes }) => {
        const value = quota === 'capacityBytes' ? capacityBytes : quotas[quota];
        if (value === undefined) return '-';
        return isBytes ? formatBytes(value) : formatCount(value);
      }),
    ]),
    io.out,
  );
}

async function set(args: Arguments, io: Io): Promise<void> {
  const name = subjectOf(args, 'the name of a tenant');
  const quotas: Partial<Record<keyof Quotas, number>> = {};
  for (const { option, quota, isBytes } of quotaOptions) {
    const setting = args.setting(option);
    if (setting === undefined) continue;
    const { text, source } = setting;
    quotas[quota] = isBytes
      ? parseBytes(text, source)
      : parseInteger(text, source, 0, Number.MAX_SAFE_INTEGER);
  }
  const { created, tenant } = await putTenant(folderOf(args, io, false), name, quotas);
  if (args.flag('json')) printJson(io.stdout, { ...tenant, created });
  else printLine(io.stderr, `tenant ${name} is ${created ? 'made' : 'changed'}`);
}

async function remove(args: Arguments, io: Io): Promise<void> {
  const name = subjectOf(args, 'the name of a tenant');
  if (!args.flag('yes')) {
    throw new UsageError(
      `deleting tenant '${name}' removes everything that it keeps`,
      'Say --yes if that is meant.',
    );
  }
  const folder = folderOf(args, io, true);
  await deleteTenant(folder, name);
  await folder.removePool(name);
  if (args.flag('json')) printJson(io.stdout, { deleted: 1 });
  else printLine(io.stderr, `tenant ${name} is deleted`);
}
