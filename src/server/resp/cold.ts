/** Parts that a command asks for and that are on the disk only: they come to memory before it runs, since commands run at once or not at all. */

import { show } from '../../base/show.ts';
import { CenoteError } from '../../errors.ts';
import type { Pool } from '../../pool/api.ts';
import type { Arguments } from './arguments.ts';
import type { Command, Place } from './command.ts';
import { valuePart } from './values.ts';

/** They take no notice of what was there. */
const overwriting: ReadonlySet<string> = new Set([
  'del',
  'unlink',
  'hdel',
  'mset',
  'setex',
  'psetex',
]);

/** They ask for what is on the disk, too, and for no bytes. */
const indifferent: ReadonlySet<string> = new Set(['exists', 'hexists']);

/** They look at fields that they name, from the second argument on: every so many arguments one. */
const ofFields: ReadonlyMap<string, number> = new Map([
  ['hget', 1],
  ['hmget', 1],
  ['hset', 2],
  ['hmset', 2],
]);

/** They look at strings only; others may look at all parts of a context. */
const ofStrings: ReadonlySet<string> = new Set([
  'get',
  'set',
  'setnx',
  'mget',
  'strlen',
  'getrange',
  'append',
]);

/** They look at the disk themselves, and do what is right, or refuse. */
const asking: ReadonlySet<string> = new Set(['set', 'setnx', 'append']);

/** What has to come to memory before the command runs. Empty for nearly all. */
export function coldParts(pool: Pool, command: Command, args: Arguments): Place[] {
  const [first, last, step] = command.keys;
  if (first === 0 || overwriting.has(command.name) || indifferent.has(command.name)) return [];
  if (command.name === 'set' && args.count === 3) return [];
  const fieldStep = ofFields.get(command.name);
  if (fieldStep !== undefined) return coldFields(pool, args, fieldStep);
  const end = last < 0 ? args.count + last : last;
  const found: Place[] = [];
  for (let i = first; i <= Math.min(end, args.count - 1); i += step) {
    // Too large for a name: the command is refused.
    if (args.sink(i) !== undefined) continue;
    const id = args.name(i);
    for (const part of coldOf(pool, id, ofStrings.has(command.name))) found.push({ id, part });
  }
  return found;
}

function coldFields(pool: Pool, args: Arguments, step: number): Place[] {
  const found: Place[] = [];
  // What is too large for a name is refused by the command.
  if (args.count < 3 || args.sink(1) !== undefined) return found;
  const id = args.name(1);
  for (let i = 2; i < args.count; i += step) {
    const part = args.sink(i) === undefined ? args.name(i) : undefined;
    if (part !== undefined && pool.where(id, part) === 'disk') found.push({ id, part });
  }
  return found;
}

function coldOf(pool: Pool, id: string, isString: boolean): readonly string[] {
  if (!isString) return pool.coldParts(id);
  return pool.where(id, valuePart) === 'disk' ? [valuePart] : [];
}

/** @throws part_corrupt, key_unavailable */
export async function bringToMemory(pool: Pool, places: readonly Place[]): Promise<void> {
  for (const { id, part } of places) (await pool.load(id, part))?.release();
}

/** Why a command cannot run that would take for absent what stays on the disk; undefined where it can. */
export function refusalOf(command: Command, { id, part }: Place): CenoteError | undefined {
  if (asking.has(command.name)) return undefined;
  return new CenoteError(
    'pool_full',
    `Part ${show(part)} of ${show(id)} is on the disk, and memory has no room for all that the command needs.`,
  );
}
