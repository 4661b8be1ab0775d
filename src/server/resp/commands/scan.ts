/** SCAN, page by page. The cursor is the pool's: nothing is remembered between two pages. */

import { fail } from '../../../errors.ts';
import type { Pool } from '../../../pool/api.ts';
import type { Arguments } from '../arguments.ts';
import { compilePattern, type Pattern } from '../glob.ts';
import { keyOf } from '../names.ts';
import { poolOf, type Session } from '../session.ts';
import { integerAt, syntaxError } from '../values.ts';
import { typeOf } from './key-type.ts';

const countDefault = 10;
/** Other connections wait for a page, so it is short: COUNT is a hint. */
const countMax = 1_000;

interface ScanOptions {
  readonly pattern: Pattern | undefined;
  readonly limit: number;
  readonly type: string | undefined;
}

export function scan(session: Session, args: Arguments): void {
  const options = scanOptions(args);
  const cursor = /^\d{1,16}$/.test(args.latin1(1)) ? Number(args.latin1(1)) : Number.NaN;
  if (!Number.isSafeInteger(cursor)) fail('invalid_argument', 'invalid cursor');
  const pool = poolOf(session);
  const { ids, next } = pool.scan(cursor, options.limit);
  const keys = keysOf(pool, ids, options);
  const { out } = session;
  out.array(2);
  out.text(String(next));
  out.array(keys.length);
  for (const key of keys) out.bulk(key);
}

/** @throws invalid_argument */
function scanOptions(args: Arguments): ScanOptions {
  let pattern: Pattern | undefined;
  let limit = countDefault;
  let type: string | undefined;
  for (let i = 2; i < args.count; i += 2) {
    if (i + 1 >= args.count) syntaxError();
    if (args.is(i, 'match')) {
      pattern = compilePattern(args.latin1(i + 1));
    } else if (args.is(i, 'count')) {
      limit = integerAt(args, i + 1);
      if (limit < 1) syntaxError();
    } else if (args.is(i, 'type')) {
      type = args.latin1(i + 1).toLowerCase();
    } else {
      syntaxError();
    }
  }
  return { pattern, limit: Math.min(countMax, limit), type };
}

function keysOf(pool: Pool, ids: readonly string[], { pattern, type }: ScanOptions): Buffer[] {
  const keys: Buffer[] = [];
  for (const id of ids) {
    if (type !== undefined && type !== typeOf(pool, id)) continue;
    const key = keyOf(id);
    if (pattern?.matches(key.toString('latin1')) !== false) keys.push(key);
  }
  return keys;
}
