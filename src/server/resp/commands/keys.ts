/** Keys: a key is a context, whatever parts it has. */

import { fail } from '../../../errors.ts';
import type { Pool } from '../../../pool/api.ts';
import type { Arguments } from '../arguments.ts';
import type { Command } from '../command.ts';
import { poolOf, unauthorized, type Session } from '../session.ts';
import { integerAt, valuePart } from '../values.ts';
import { typeOf } from './key-type.ts';
import { scan } from './scan.ts';

function countKeys(args: Arguments, isCounted: (id: string) => boolean): number {
  let count = 0;
  for (let i = 1; i < args.count; i++) if (isCounted(args.name(i))) count++;
  return count;
}

function del(session: Session, args: Arguments): void {
  const pool = poolOf(session);
  session.out.integer(countKeys(args, (id) => pool.delete(id) > 0));
}

function exists(session: Session, args: Arguments): void {
  const pool = poolOf(session);
  session.out.integer(
    countKeys(args, (id) => pool.has(id) || (pool.hasDisk && pool.coldParts(id).length > 0)),
  );
}

/** A key lives as long as its last part. @returns milliseconds since 1970, `never`, or undefined where there is no key */
function endOfLife(pool: Pool, id: string): number | 'never' | undefined {
  const value = pool.describe(id, valuePart);
  if (value !== undefined) return value.expiresAtMs ?? 'never';
  const info = pool.context(id, { limit: allParts });
  if (info === undefined) return undefined;
  let last = 0;
  for (const { expiresAtMs } of info.parts) {
    if (expiresAtMs === undefined) return 'never';
    last = Math.max(last, expiresAtMs);
  }
  return last;
}

const allParts = 10_000;
const noKey = -2;
const noExpiry = -1;

function ttl(session: Session, args: Arguments, unitMs: number, isAbsolute: boolean): void {
  const end = endOfLife(poolOf(session), args.name(1));
  if (end === undefined || end === 'never') {
    session.out.integer(end === undefined ? noKey : noExpiry);
    return;
  }
  const leftMs = isAbsolute ? end : Math.max(0, end - session.service.clock.nowMs());
  session.out.integer(unitMs === 1 ? leftMs : Math.floor((leftMs + unitMs / 2) / unitMs));
}

const conditions = ['nx', 'xx', 'gt', 'lt'] as const;

/** True when the new time may be set, by the words behind it. @throws invalid_argument */
function maySet(args: Arguments, now: number | 'never' | undefined, atMs: number): boolean {
  const current = now === 'never' || now === undefined ? Infinity : now;
  const given = new Set<string>();
  let may = true;
  for (let i = 3; i < args.count; i++) {
    const word = conditions.find((condition) => args.is(i, condition));
    if (word === undefined) fail('invalid_argument', `Unsupported option ${args.latin1(i)}`);
    given.add(word);
    if (word === 'nx') may &&= current === Infinity;
    if (word === 'xx') may &&= current !== Infinity;
    if (word === 'gt') may &&= atMs > current;
    if (word === 'lt') may &&= atMs < current;
  }
  if (given.size > 1 && (given.has('nx') || (given.has('gt') && given.has('lt')))) {
    fail('invalid_argument', 'NX goes with no other option, GT not with LT');
  }
  return may;
}

/** A time that is over deletes the key at once, which takes the right to delete. */
function expire(session: Session, args: Arguments, unitMs: number, isAbsolute: boolean): void {
  const pool = poolOf(session);
  const id = args.name(1);
  const nowMs = session.service.clock.nowMs();
  const atMs = (isAbsolute ? 0 : nowMs) + integerAt(args, 2) * unitMs;
  const isConditional = args.count > 3;
  if (isConditional && !maySet(args, endOfLife(pool, id), atMs)) {
    session.out.integer(0);
    return;
  }
  if (atMs <= nowMs) (session.caller ?? unauthorized()).demand('ctx:delete');
  const count = atMs <= nowMs ? pool.delete(id) : pool.expire(id, atMs - nowMs);
  session.out.integer(count > 0 ? 1 : 0);
}

function persist(session: Session, args: Arguments): void {
  const pool = poolOf(session);
  const id = args.name(1);
  const hadEnd = typeof endOfLife(pool, id) === 'number';
  if (hadEnd) pool.expire(id, undefined);
  session.out.integer(hadEnd ? 1 : 0);
}

function unlinkLike(name: string): Command {
  const summary = 'Deletes keys, with all their parts.';
  return { name, arity: -2, needs: 'ctx:delete', keys: [1, -1, 1], summary, run: del };
}

function expireLike(name: string, unitMs: number, isAbsolute: boolean, summary: string): Command {
  return {
    name,
    arity: -3,
    needs: 'ctx:write',
    keys: [1, 1, 1],
    summary,
    run: (session, args) => expire(session, args, unitMs, isAbsolute),
  };
}

function ttlLike(name: string, unitMs: number, isAbsolute: boolean, summary: string): Command {
  return {
    name,
    arity: 2,
    needs: 'ctx:read',
    keys: [1, 1, 1],
    summary,
    run: (session, args) => ttl(session, args, unitMs, isAbsolute),
  };
}

export const keyCommands: readonly Command[] = [
  unlinkLike('del'),
  unlinkLike('unlink'),
  {
    name: 'exists',
    arity: -2,
    needs: 'ctx:read',
    keys: [1, -1, 1],
    summary: 'Counts the keys that are there.',
    run: exists,
  },
  {
    name: 'type',
    arity: 2,
    needs: 'ctx:read',
    keys: [1, 1, 1],
    summary: 'Tells whether a key is a string or a hash.',
    run: (session, args) => session.out.simple(typeOf(poolOf(session), args.name(1))),
  },
  expireLike('expire', 1000, false, 'Sets how many seconds a key lives.'),
  expireLike('pexpire', 1, false, 'Sets how many milliseconds a key lives.'),
  expireLike('expireat', 1000, true, 'Sets until when a key lives, in seconds since 1970.'),
  expireLike('pexpireat', 1, true, 'Sets until when a key lives, in milliseconds since 1970.'),
  ttlLike('ttl', 1000, false, 'Returns how many seconds a key has left.'),
  ttlLike('pttl', 1, false, 'Returns how many milliseconds a key has left.'),
  ttlLike('expiretime', 1000, true, 'Returns until when a key lives, in seconds since 1970.'),
  ttlLike('pexpiretime', 1, true, 'Returns until when a key lives, in milliseconds since 1970.'),
  {
    name: 'persist',
    arity: 2,
    needs: 'ctx:write',
    keys: [1, 1, 1],
    summary: 'Lets a key live for ever.',
    run: persist,
  },
  {
    name: 'scan',
    arity: -2,
    needs: 'ctx:read',
    keys: [0, 0, 0],
    summary: 'Lists keys, page by page: MATCH, COUNT, TYPE.',
    run: scan,
  },
  {
    name: 'dbsize',
    arity: 1,
    needs: 'ctx:read',
    keys: [0, 0, 0],
    summary: 'Counts the keys.',
    run: (session) => session.out.integer(poolOf(session).contextCount),
  },
];
