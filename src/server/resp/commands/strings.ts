/** String keys: key K is part `value` of context K. */

import { fail, hasCode } from '../../../errors.ts';
import type { Arguments } from '../arguments.ts';
import type { Command, Place } from '../command.ts';
import { poolOf, type Session } from '../session.ts';
import { storeValue, storeValues, type StoredValue } from '../stored-values.ts';
import {
  integerAt,
  Leases,
  reserveNothing,
  sendPiece,
  sendValue,
  syntaxError,
  valuePart,
} from '../values.ts';
import { expiresAtMs, ttlFrom } from './expiry.ts';

function valuePlace(args: Arguments, keyIndex: number): Place {
  return { id: args.name(keyIndex), part: valuePart };
}

interface SetOptions {
  readonly mode: 'nx' | 'xx' | undefined;
  /** Milliseconds since 1970. */
  readonly atMs: number | undefined;
  readonly keepTtl: boolean;
  readonly returnsOld: boolean;
}

const plain: SetOptions = { mode: undefined, atMs: undefined, keepTtl: false, returnsOld: false };

/** @throws invalid_argument */
function setOptions(session: Session, args: Arguments): SetOptions {
  if (args.count === 3) return plain;
  let { mode, atMs, keepTtl, returnsOld } = plain;
  for (let i = 3; i < args.count; i++) {
    if (args.is(i, 'nx') || args.is(i, 'xx')) {
      if (mode !== undefined) syntaxError();
      mode = args.is(i, 'nx') ? 'nx' : 'xx';
    } else if (args.is(i, 'get')) {
      returnsOld = true;
    } else if (args.is(i, 'keepttl')) {
      if (atMs !== undefined) syntaxError();
      keepTtl = true;
    } else {
      if (i + 1 >= args.count || atMs !== undefined || keepTtl) syntaxError();
      const now = session.service.clock.nowMs();
      const given = expiresAtMs(args, i, now) ?? syntaxError();
      if (given.amount <= 0) fail('invalid_argument', "invalid expire time in 'set' command");
      atMs = given.atMs;
      i++;
    }
  }
  return { mode, atMs, keepTtl, returnsOld };
}

function set(session: Session, args: Arguments): void {
  const options = setOptions(session, args);
  const { mode, atMs, keepTtl, returnsOld } = options;
  if (mode === undefined && !keepTtl && !returnsOld) {
    const ttlMs = atMs === undefined ? undefined : ttlFrom(atMs, session.service.clock.nowMs());
    storeValue(session, args, { index: 2, ...valuePlace(args, 1), ttlMs });
    session.out.simple('OK');
    return;
  }
  const { stores, old } = setBySight(session, args, options);
  if (old !== undefined) old.send(0);
  else if (stores) session.out.simple('OK');
  else session.out.none();
}

/** How often a key is looked at that changes between the look and the store. */
const looksMax = 100;

interface Sight {
  /** False where the condition did not hold. */
  readonly stores: boolean;
  /** What was there, for GET. */
  readonly old: Leases | undefined;
}

/** A look and a store in one step: where another worker has come between the two, both again. */
function setBySight(session: Session, args: Arguments, options: SetOptions): Sight {
  for (let look = 1; ; look++) {
    try {
      return lookAndSet(session, args, options);
    } catch (error) {
      if (look === looksMax || !hasCode(error, 'version_conflict')) throw error;
    }
  }
}

/** @throws version_conflict when what is there is not what was looked at; part_on_disk when that is not in memory, which has no room for it */
function lookAndSet(session: Session, args: Arguments, options: SetOptions): Sight {
  const { mode, atMs, keepTtl, returnsOld } = options;
  const pool = poolOf(session);
  const id = args.name(1);
  const before = pool.describe(id, valuePart);
  const isCold = before === undefined && pool.hasDisk && pool.where(id, valuePart) === 'disk';
  const isThere = isCold || before !== undefined;
  const stores = mode === undefined || isThere === (mode === 'xx');
  if (isCold && (stores || returnsOld)) {
    fail('part_on_disk', 'the value is on the disk, and memory has no room for it');
  }
  const old = returnsOld ? new Leases(session) : undefined;
  try {
    if (old !== undefined && old.take(id, valuePart)?.version !== before?.version) {
      fail('version_conflict', 'the value changed at each look');
    }
    old?.reserve();
    if (stores) {
      const until = keepTtl ? before?.expiresAtMs : atMs;
      const ttlMs = ttlFrom(until, session.service.clock.nowMs());
      const ifVersion = before?.version ?? 0;
      storeValue(session, args, { index: 2, id, part: valuePart, ttlMs, ifVersion });
    }
  } catch (error) {
    old?.giveBack();
    throw error;
  }
  return { stores, old };
}

function setEx(session: Session, args: Arguments, unitMs: number): void {
  const amount = integerAt(args, 2);
  if (amount <= 0) {
    fail('invalid_argument', `invalid expire time in '${args.latin1(0).toLowerCase()}' command`);
  }
  storeValue(session, args, { index: 3, ...valuePlace(args, 1), ttlMs: amount * unitMs });
  session.out.simple('OK');
}

function setNx(session: Session, args: Arguments): void {
  const { stores } = setBySight(session, args, { ...plain, mode: 'nx' });
  session.out.integer(stores ? 1 : 0);
}

function mget(session: Session, args: Arguments): void {
  const leases = new Leases(session);
  for (let i = 1; i < args.count; i++) leases.take(args.name(i), valuePart);
  leases.reserve();
  const { count } = leases;
  session.out.array(count);
  for (let i = 0; i < count; i++) leases.send(i);
}

function mset(session: Session, args: Arguments): void {
  if (args.count % 2 === 0) {
    fail('invalid_argument', "wrong number of arguments for 'mset' command");
  }
  const values: StoredValue[] = [];
  for (let i = 1; i < args.count; i += 2) {
    values.push({ index: i + 1, ...valuePlace(args, i), ttlMs: undefined });
  }
  storeValues(session, args, values);
  session.out.simple('OK');
}

function getRange(session: Session, args: Arguments): void {
  const first = integerAt(args, 2);
  const last = integerAt(args, 3);
  const lease = poolOf(session).get(args.name(1), valuePart);
  if (lease === undefined) {
    reserveNothing(session);
    session.out.bulk(nothing);
    return;
  }
  const { sizeBytes } = lease;
  const from = Math.min(sizeBytes, placeOf(first, sizeBytes));
  // Two places from the end that are in the wrong order are none, even where both lie before the first byte.
  const isNone = first < 0 && last < 0 && first > last;
  const to = isNone ? from : Math.min(sizeBytes, placeOf(last, sizeBytes) + 1);
  sendPiece(session, lease, from, Math.max(from, to));
}

/** A place that may count from the end. What lies before the first byte is the first. */
function placeOf(index: number, sizeBytes: number): number {
  return index < 0 ? Math.max(0, sizeBytes + index) : index;
}

const nothing: Uint8Array = new Uint8Array(0);

/** Appended whole or not at all, so it is gathered first. Expiry stays what it was. */
function append(session: Session, args: Arguments): void {
  const pool = poolOf(session);
  const id = args.name(1);
  const before = pool.describe(id, valuePart)?.sizeBytes ?? 0;
  const bytes = args.bytes(2);
  try {
    pool.append(id, valuePart, bytes);
  } catch (error) {
    if (!hasCode(error, 'element_type_mismatch')) throw error;
    fail('element_type_mismatch', 'Operation against a key that does not hold plain bytes');
  }
  session.out.integer(before + bytes.length);
}

export const stringCommands: readonly Command[] = [
  {
    name: 'get',
    arity: 2,
    needs: 'ctx:read',
    keys: [1, 1, 1],
    summary: 'Returns the value of a key.',
    isQuick: true,
    reservesItself: true,
    run: (session, args) => sendValue(session, poolOf(session).get(args.name(1), valuePart)),
  },
  {
    name: 'set',
    arity: -3,
    needs: 'ctx:write',
    keys: [1, 1, 1],
    summary: 'Stores a value: EX PX EXAT PXAT KEEPTTL, NX XX, GET.',
    isQuick: true,
    large: (args, index) => (index === 2 ? valuePlace(args, 1) : undefined),
    run: set,
  },
  {
    name: 'setex',
    arity: 4,
    needs: 'ctx:write',
    keys: [1, 1, 1],
    summary: 'Stores a value that expires after so many seconds.',
    large: (args, index) => (index === 3 ? valuePlace(args, 1) : undefined),
    run: (session, args) => setEx(session, args, 1000),
  },
  {
    name: 'psetex',
    arity: 4,
    needs: 'ctx:write',
    keys: [1, 1, 1],
    summary: 'Stores a value that expires after so many milliseconds.',
    large: (args, index) => (index === 3 ? valuePlace(args, 1) : undefined),
    run: (session, args) => setEx(session, args, 1),
  },
  {
    name: 'setnx',
    arity: 3,
    needs: 'ctx:write',
    keys: [1, 1, 1],
    summary: 'Stores a value where there is none.',
    large: (args, index) => (index === 2 ? valuePlace(args, 1) : undefined),
    run: setNx,
  },
  {
    name: 'mget',
    arity: -2,
    needs: 'ctx:read',
    keys: [1, -1, 1],
    summary: 'Returns the values of keys.',
    run: mget,
  },
  {
    name: 'mset',
    arity: -3,
    needs: 'ctx:write',
    keys: [1, -1, 2],
    summary: 'Stores values.',
    large: (args, index) =>
      index >= 2 && index % 2 === 0 ? valuePlace(args, index - 1) : undefined,
    run: mset,
  },
  {
    name: 'strlen',
    arity: 2,
    needs: 'ctx:read',
    keys: [1, 1, 1],
    summary: 'Returns the length of a value in bytes.',
    run: (session, args) => {
      const info = poolOf(session).describe(args.name(1), valuePart);
      session.out.integer(info?.sizeBytes ?? 0);
    },
  },
  {
    name: 'getrange',
    arity: 4,
    needs: 'ctx:read',
    keys: [1, 1, 1],
    summary: 'Returns a piece of a value.',
    reservesItself: true,
    run: getRange,
  },
  {
    name: 'append',
    arity: 3,
    needs: 'ctx:write',
    keys: [1, 1, 1],
    summary: 'Extends a value in place.',
    large: (_, index) => (index === 2 ? 'gather' : undefined),
    run: append,
  },
];
