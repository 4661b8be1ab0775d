/**
 * A process that writes to a mapped pool is killed at random points of its load: every write that it acknowledged is there, and the one
 * that it was at is there as a whole or not at all.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Random } from '../../src/base/random.ts';
import type { Pool, PutOptions } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { rounds, seed } from '../support/seed.ts';
import { expectSound, mib, read } from './support/pools.ts';

const writer = fileURLToPath(new URL('fixtures/writer.mjs', import.meta.url));
const kills = rounds(50, 200);
const operationsPerLife = 3000;
const sizes = { capacityBytes: 64 * mib, segmentBytes: 4 * mib };

interface Operation {
  readonly name: 'put' | 'append' | 'delete' | 'draft';
  readonly id: string;
  readonly part?: string;
  readonly sizeBytes: number;
  readonly fill: number;
  readonly options?: PutOptions;
}

interface Part {
  readonly bytes: Buffer;
  /** undefined: its write was not acknowledged. */
  readonly version: number | undefined;
}

type State = Map<string, Part>;

function bytesFor({ sizeBytes, fill }: Operation): Buffer {
  return Buffer.from(Uint8Array.from({ length: sizeBytes }, (_, i) => fill + i * 7));
}

function randomOperation(random: Random): Operation {
  const draw = random.below(100);
  // Some keys are long enough for a block of their own.
  const id = `context-${random.below(60)}`.padEnd(random.below(2) * 100, '·');
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

/** The state after an operation. */
function after(state: State, operation: Operation, version: number | undefined): State {
  const { name, id, part } = operation;
  const next = new Map(state);
  if (part === undefined) {
    for (const key of state.keys()) if (key.startsWith(`${id}/`)) next.delete(key);
    return next;
  }
  const key = keyOf(id, part);
  const old = state.get(key)?.bytes ?? Buffer.alloc(0);
  if (name === 'delete') next.delete(key);
  else if (name === 'append')
    next.set(key, { bytes: Buffer.concat([old, bytesFor(operation)]), version });
  else next.set(key, { bytes: bytesFor(operation), version });
  return next;
}

/** Lets a writer live until it has acknowledged `lifetime` operations, or a little longer. @returns its answers */
async function liveAndDie(path: string, file: string, lifetime: number): Promise<number[]> {
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

function isIn(pool: Pool, state: State): boolean {
  const found = pool
    .list({ limit: 10_000 })
    .flatMap(({ id, parts }) => parts.map((info) => ({ key: keyOf(id, info.part), id, info })));
  if (found.length !== state.size) return false;
  return found.every(({ key, id, info }) => {
    const part = state.get(key);
    if (part === undefined || (part.version ?? info.version) !== info.version) return false;
    return read(pool, id, info.part)?.equals(part.bytes) === true;
  });
}

describe('a pool whose writer is killed', () => {
  it(`holds every acknowledged write, ${kills} times`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cenote-kill-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'pool');
    const file = join(folder, 'operations.json');
    const random = new Random(seed());
    let state: State = new Map();
    let acknowledged = 0;
    let unfinished = 0;
    for (let kill = 0; kill < kills; kill++) {
      const operations = Array.from({ length: operationsPerLife }, () => randomOperation(random));
      writeFileSync(file, JSON.stringify({ ...sizes, operations }));
      const lifetime = random.below(8) === 0 ? 0 : 1 + random.below(operationsPerLife / 3);
      const answers = await liveAndDie(path, file, lifetime);
      for (const [i, answer] of answers.entries()) {
        state = after(state, operations[i] as Operation, answer);
      }
      acknowledged += answers.length;
      const interrupted = operations[answers.length];
      const other = interrupted === undefined ? state : after(state, interrupted, undefined);
      // Looking on leaves the pool as it is: then the next writer recovers it.
      const readOnly = random.below(3) === 0 && answers.length > 0;
      const pool = await openPool(readOnly ? { path, readOnly } : { path, ...sizes });
      try {
        expectSound(pool);
        const isOld = isIn(pool, state);
        expect(isOld || isIn(pool, other), `kill ${kill} of seed ${seed()}`).toBe(true);
        if (!isOld) {
          state = other;
          unfinished++;
        }
      } finally {
        await pool.close();
      }
    }
    process.stdout.write(
      `  ${kills} kills, ${acknowledged} acknowledged operations; ` +
        `${unfinished} times the one under way was done too\n`,
    );
  });
});
