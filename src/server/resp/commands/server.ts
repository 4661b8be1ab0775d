/** INFO, CONFIG and COMMAND: as much of them as clients ask for. */

import { fail } from '../../../errors.ts';
import type { Arguments } from '../arguments.ts';
import { compilePattern } from '../glob.ts';
import type { Command, CommandTable } from '../command.ts';
import { poolOf, type Session } from '../session.ts';

export const serverName = 'cenote';
/** The version of Redis whose commands these are a part of: clients choose by it what they ask for. */
export const spokenVersion = '7.0.0';

type Fields = readonly (readonly [name: string, value: string | number])[];

/** Sections of INFO, in order: what is the same for all, and what is of the caller's own pool. Nothing tells of other tenants. */
const infoSections: Readonly<Record<string, (session: Session) => Fields>> = {
  server: ({ service }) => [
    ['redis_version', spokenVersion],
    ['redis_mode', 'standalone'],
    ['server_name', serverName],
    ['uptime_in_seconds', Math.floor((service.clock.nowMs() - service.startedAtMs) / 1000)],
  ],
  clients: ({ service }) => [['maxclients', service.limits.maxConnections]],
  memory: (session) => {
    const { capacityBytes, partBytes, memory } = poolOf(session).stats();
    return [
      ['used_memory', memory.usedBytes],
      ['used_memory_dataset', partBytes],
      ['maxmemory', capacityBytes],
      ['maxmemory_policy', 'allkeys-lru'],
    ];
  },
  // Clients wait until nothing is being loaded.
  persistence: () => [['loading', 0]],
  stats: (session) => {
    const { operations } = poolOf(session).stats();
    return [
      ['keyspace_hits', operations.hits],
      ['keyspace_misses', operations.misses],
      ['evicted_keys', operations.evictions],
      ['expired_keys', operations.expirations],
    ];
  },
  replication: () => [
    ['role', 'master'],
    ['connected_slaves', 0],
  ],
  cluster: () => [['cluster_enabled', 0]],
  keyspace: (session) => {
    const { contextCount } = poolOf(session);
    return contextCount === 0 ? [] : [['db0', `keys=${contextCount},expires=0,avg_ttl=0`]];
  },
};

/** Sections that look at all memory for their figures: told to those who ask for them, not to every client that connects. */
const costly = new Set(['memory', 'stats']);
const everything = new Set(['all', 'everything']);

function info(session: Session, args: Arguments): void {
  const wanted = new Set<string>();
  for (let i = 1; i < args.count; i++) wanted.add(args.latin1(i).toLowerCase());
  const isWanted = (name: string): boolean => {
    if (wanted.has(name) || [...wanted].some((word) => everything.has(word))) return true;
    return (wanted.size === 0 || wanted.has('default')) && !costly.has(name);
  };
  const texts = Object.entries(infoSections)
    .filter(([name]) => isWanted(name))
    .map(([name, fieldsOf]) => {
      const lines = fieldsOf(session).map(([field, value]) => `${field}:${value}\r\n`);
      return `# ${name[0]?.toUpperCase()}${name.slice(1)}\r\n${lines.join('')}`;
    });
  session.out.text(texts.join('\r\n'));
}

/** Settings under the names that clients know. */
function settings({ service }: Session): Readonly<Record<string, string>> {
  return {
    appendonly: 'no',
    databases: '1',
    maxclients: String(service.limits.maxConnections),
    'proto-max-bulk-len': String(service.limits.maxBulkBytes),
    save: '',
  };
}

function config(session: Session, args: Arguments): void {
  if (!args.is(1, 'get') || args.count < 3) {
    fail('invalid_argument', 'CONFIG GET is all there is: settings are given at the start');
  }
  const patterns = Array.from({ length: args.count - 2 }, (_, i) =>
    compilePattern(args.latin1(i + 2).toLowerCase()),
  );
  const found = Object.entries(settings(session)).filter(([name]) =>
    patterns.some((pattern) => pattern.matches(name)),
  );
  const { out } = session;
  out.map(found.length);
  for (const [name, value] of found) {
    out.text(name);
    out.text(value);
  }
}

/** The commands that describe the others. @param table all of them, these included */
export function serverCommands(table: () => CommandTable): readonly Command[] {
  return [
    {
      name: 'info',
      arity: -1,
      needs: 'ctx:read',
      keys: [0, 0, 0],
      summary: 'Tells about the server and the pool of the caller.',
      run: info,
    },
    {
      name: 'config',
      arity: -2,
      needs: 'session',
      keys: [0, 0, 0],
      summary: 'GET returns settings.',
      run: config,
    },
    {
      name: 'command',
      arity: -1,
      needs: 'session',
      keys: [0, 0, 0],
      summary: 'Describes the commands: COUNT, INFO, DOCS.',
      run: (session, args) => describeCommands(session, args, table()),
    },
  ];
}

function describeCommands({ out }: Session, args: Arguments, table: CommandTable): void {
  const named = Array.from({ length: Math.max(0, args.count - 2) }, (_, i) =>
    table.find(args, i + 2),
  );
  if (args.count === 1) {
    out.array(table.all.length);
    for (const command of table.all) describe(out, command);
  } else if (args.is(1, 'count')) {
    out.integer(table.all.length);
  } else if (args.is(1, 'info')) {
    const asked = named.length === 0 ? table.all : named;
    out.array(asked.length);
    for (const command of asked) {
      if (command === undefined) out.none();
      else describe(out, command);
    }
  } else if (args.is(1, 'docs')) {
    const asked = named.length === 0 ? table.all : named.filter((command) => command !== undefined);
    out.map(asked.length);
    for (const { name, summary } of asked) {
      out.text(name);
      out.map(1);
      out.text('summary');
      out.text(summary);
    }
  } else {
    fail('invalid_argument', `unknown subcommand '${args.latin1(1).slice(0, 40)}'`);
  }
}

function describe(out: Session['out'], { name, arity, needs, keys }: Command): void {
  out.array(6);
  out.text(name);
  out.integer(arity);
  const isWrite = needs === 'ctx:write' || needs === 'ctx:delete';
  const flags = isWrite ? ['write'] : ['readonly', 'fast'];
  out.array(flags.length);
  for (const flag of flags) out.simple(flag);
  for (const position of keys) out.integer(position);
}
