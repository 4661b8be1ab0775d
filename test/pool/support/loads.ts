/** What writers in other processes do to a pool, and the state that it is in then. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { Random } from '../../../src/base/random.ts';
import type { Pool, PutOptions } from '../../../src/pool/api.ts';
import { read } from './pools.ts';

const writer = fileURLToPath(new URL('../fixtures/writer.mjs', import.meta.url));

export interface Operation {
  readonly name: 'put' | 'append' | 'delete' | 'draft';
  readonly id: string;
  readonly part?: string;
  readonly sizeBytes: number;
  readonly fill: number;
  readonly options?: PutOptions;
  /** The bytes, in place of those that `sizeBytes` and `fill` say. */
  readonly words?: readonly number[];
}

interface Part {
  readonly bytes: Buffer;
  /** undefined: its write was not acknowledged. */
  readonly version: number | undefined;
}

export type State = Map<string, Part>;

/** What the bytes of an operation whose `fill` is 0 repeat; the writer counts as well. */
const repeated = Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i * 7));
/** At which of them each `fill` begins. */
const beginsAt = Uint8Array.from({ length: 256 }, (_, fill) => repeated.indexOf(fill));

function bytesFor({ sizeBytes, fill, words }: Operation): Buffer {
  if (words !== undefined) return Buffer.from(Uint32Array.from(words).buffer);
  const at = beginsAt[fill] as number;
  return Buffer.alloc(at + sizeBytes, repeated).subarray(at);
}

/** @param prefix of the ids */
export function randomOperation(random: Random, prefix: string = ''): Operation {
  const draw = random.below(100);
  // Some keys are long enough for a block of their own.
  const id = `${prefix}context-${random.below(60)}`.padEnd(random.below(2) * 100, '·');
  const part = `part-${random.below(3)}`;
  const large = random.below(20) === 0;
  const sizeBytes = random.below(large ? 150_000 : 3000);
  const fill = random.below(256);
  const options = random.below(4) === 0 ? { tags: [`tag-${random.below(5)}`, 'all'] } : {};
  if (draw < 40) return { name: 'put', id, part, sizeBytes, fill, options };
  if (draw < 70) return { name: 'append', id, part, sizeBytes: sizeBytes % 5000, fill };
  if (draw < 80) return { name: 'draft', id, part, sizeBytes, fill, options };
  return { name: 'delete', id, ...(draw < 92 ? { part } : {}), sizeBytes: 0, fill };
}

function keyOf(id: string, part: string): string {
  return `${id}/${part}`;
}

/** Brings a state to what it is after an operation. */
export function apply(state: State, operation: Operation, version: number | undefined): void {
  const { name, id, part } = operation;
  if (part === undefined) {
    for (const key of state.keys()) if (key.startsWith(`${id}/`)) state.delete(key);
    return;
  }
  const key = keyOf(id, part);
  const old = state.get(key)?.bytes ?? Buffer.alloc(0);
  if (name === 'delete') state.delete(key);
  else if (name === 'append')
    state.set(key, { bytes: Buffer.concat([old, bytesFor(operation)]), version });
  else state.set(key, { bytes: bytesFor(operation), version });
}

/** The state after an operation of which nothing is known. */
export function after(state: State, operation: Operation): State {
  const next = new Map(state);
  apply(next, operation, undefined);
  return next;
}

/** True when the contexts whose ids begin with `prefix` are in that state. */
export function isIn(pool: Pool, state: State, prefix: string = ''): boolean {
  const found = pool
    .list({ prefix, limit: 10_000 })
    .flatMap(({ id, parts }) => parts.map((info) => ({ key: keyOf(id, info.part), id, info })));
  if (found.length !== state.size) return false;
  return found.every(({ key, id, info }) => {
    const part = state.get(key);
    if (part === undefined || (part.version ?? info.version) !== info.version) return false;
    return read(pool, id, info.part)?.equals(part.bytes) === true;
  });
}

/** Lets a writer live until it has acknowledged `lifetime` operations, or a little longer. @returns its answers */
export async function liveAndDie(path: string, file: string, lifetime: number): Promise<number[]> {
  const child = spawn(process.execPath, [writer, path, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  let text = '';
  if (lifetime === 0) child.kill('SIGKILL');
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    // Lines are long: fewer than so many characters cannot be enough.
    if (text.length < lifetime * 2 || child.killed) return;
    if (text.split('\n').length > lifetime) child.kill('SIGKILL');
  });
  const [code, signal] = (await closed) as [number | null, NodeJS.Signals | null];
  expect([code, signal]).toEqual([null, 'SIGKILL']);
  // What follows the last line end was not acknowledged.
  return text.split('\n').slice(0, -1).map(Number);
}
