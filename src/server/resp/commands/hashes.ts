/** Hashes: field F of key K is part F of context K. A field has an expiry of its own; one that is replaced keeps it. */

import { fail } from '../../../errors.ts';
import type { Arguments } from '../arguments.ts';
import type { Command } from '../command.ts';
import { keyOf } from '../names.ts';
import { poolOf, type Session } from '../session.ts';
import { storeValues, type StoredValue } from '../stored-values.ts';
import { Leases, sendValue } from '../values.ts';
import { ttlFrom } from './expiry.ts';

/** Fields of a hash that one command answers with. */
const fieldsMax = 10_000;

/** @returns how many fields are new */
function storeFields(session: Session, args: Arguments): number {
  if (args.count % 2 !== 0) {
    const name = args.latin1(0).toLowerCase();
    fail('invalid_argument', `wrong number of arguments for '${name}' command`);
  }
  const pool = poolOf(session);
  const id = args.name(1);
  const nowMs = session.service.clock.nowMs();
  const created = new Set<string>();
  const values: StoredValue[] = [];
  for (let i = 2; i < args.count; i += 2) {
    const part = args.name(i);
    const before = pool.describe(id, part);
    if (before === undefined) created.add(part);
    values.push({ index: i + 1, id, part, ttlMs: ttlFrom(before?.expiresAtMs, nowMs) });
  }
  storeValues(session, args, values);
  return created.size;
}

/** The names of all fields. @throws value_too_large */
function fieldsOf(session: Session, id: string): readonly string[] {
  const pool = poolOf(session);
  const count = pool.context(id, { limit: 0 })?.partCount ?? 0;
  if (count > fieldsMax) {
    fail(
      'value_too_large',
      `the key has ${count} fields, above ${fieldsMax}: ask for them by name`,
    );
  }
  const info = count === 0 ? undefined : pool.context(id, { limit: fieldsMax });
  return info?.parts.map(({ part }) => part) ?? [];
}

function hgetall(session: Session, args: Arguments): void {
  const id = args.name(1);
  const leases = new Leases(session);
  // A field whose time ends between the two looks is left out.
  const fields = fieldsOf(session, id).filter((field) => leases.take(id, field) !== undefined);
  leases.dropMissing();
  leases.reserve();
  const { out } = session;
  out.map(fields.length);
  for (const [i, field] of fields.entries()) {
    out.bulk(keyOf(field));
    leases.send(i);
  }
}

function hmget(session: Session, args: Arguments): void {
  const id = args.name(1);
  const leases = new Leases(session);
  for (let i = 2; i < args.count; i++) leases.take(id, args.name(i));
  leases.reserve();
  const { count } = leases;
  session.out.array(count);
  for (let i = 0; i < count; i++) leases.send(i);
}

function hdel(session: Session, args: Arguments): void {
  const pool = poolOf(session);
  const id = args.name(1);
  let count = 0;
  for (let i = 2; i < args.count; i++) count += pool.delete(id, args.name(i));
  session.out.integer(count);
}

function hkeys(session: Session, args: Arguments): void {
  const fields = fieldsOf(session, args.name(1));
  session.out.array(fields.length);
  for (const field of fields) session.out.bulk(keyOf(field));
}

function storeLike(name: string, run: Command['run']): Command {
  return {
    name,
    arity: -4,
    needs: 'ctx:write',
    keys: [1, 1, 1],
    summary: 'Stores fields of a hash.',
    large: (args, index) =>
      index >= 3 && index % 2 === 1 ? { id: args.name(1), part: args.name(index - 1) } : undefined,
    run,
  };
}

export const hashCommands: readonly Command[] = [
  storeLike('hset', (session, args) => session.out.integer(storeFields(session, args))),
  storeLike('hmset', (session, args) => {
    storeFields(session, args);
    session.out.simple('OK');
  }),
  {
    name: 'hget',
    arity: 3,
    needs: 'ctx:read',
    keys: [1, 1, 1],
    summary: 'Returns a field of a hash.',
    reservesItself: true,
    run: (session, args) => sendValue(session, poolOf(session).get(args.name(1), args.name(2))),
  },
  {
    name: 'hmget',
    arity: -3,
    needs: 'ctx:read',
    keys: [1, 1, 1],
    summary: 'Returns fields of a hash.',
    run: hmget,
  },
  {
    name: 'hgetall',
    arity: 2,
    needs: 'ctx:read',
    keys: [1, 1, 1],
    summary: 'Returns all fields of a hash with their values.',
    run: hgetall,
  },
  {
    name: 'hdel',
    arity: -3,
    needs: 'ctx:delete',
    keys: [1, 1, 1],
    summary: 'Deletes fields of a hash.',
    run: hdel,
  },
  {
    name: 'hexists',
    arity: 3,
    needs: 'ctx:read',
    keys: [1, 1, 1],
    summary: 'Tells whether a hash has a field.',
    run: (session, args) => {
      const place = poolOf(session).where(args.name(1), args.name(2));
      session.out.integer(place === undefined ? 0 : 1);
    },
  },
  {
    name: 'hlen',
    arity: 2,
    needs: 'ctx:read',
    keys: [1, 1, 1],
    summary: 'Counts the fields of a hash.',
    run: (session, args) => {
      const info = poolOf(session).context(args.name(1), { limit: 0 });
      session.out.integer(info?.partCount ?? 0);
    },
  },
  {
    name: 'hkeys',
    arity: 2,
    needs: 'ctx:read',
    keys: [1, 1, 1],
    summary: 'Returns the names of all fields of a hash.',
    run: hkeys,
  },
];
