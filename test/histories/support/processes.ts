/** Runs clients in processes over one mapped pool, and gathers the history of what they did. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Random } from '../../../src/base/random.ts';
import { openPool } from '../../../src/pool/open.ts';
import type { Action, Operation } from './history.ts';

interface LogRecord {
  readonly what: number;
  readonly context: number;
  readonly part: number;
  readonly block: number;
  readonly ifVersion: number;
  readonly calledNs: number;
  readonly state: number;
  readonly returnedNs: number;
  readonly version: number;
  readonly blocks: readonly number[];
}

interface LogModule {
  readonly action: Record<'put' | 'append' | 'putIf' | 'delete' | 'get' | 'look' | 'evict', number>;
  readonly status: Record<'untold' | 'done' | 'absent' | 'refused' | 'full', number>;
  readonly mapLog: (path: string, sizeBytes: number) => Float64Array;
  readonly readLog: (words: Float64Array) => LogRecord[];
}

const script = fileURLToPath(new URL('../clients/client.mjs', import.meta.url));
const { action, status, mapLog, readLog } = (await import(
  new URL('../clients/log.mjs', import.meta.url).href
)) as LogModule;

const logBytes: number = 8 * 2 ** 20;
const mib = 2 ** 20;

export interface Plan {
  readonly folder: string;
  /** The first opens the pool, the others join it. */
  readonly clients: number;
  readonly operations: number;
  readonly contexts: number;
  readonly parts: number;
  /** Words of the largest blocks. */
  readonly wordsMax: number;
  /** One in so many blocks may be large. */
  readonly largeEvery: number;
  readonly capacityBytes: number;
  /** How often the first is killed and started again. */
  readonly kills: number;
}

interface Life {
  readonly child: ChildProcess;
  readonly words: Float64Array;
  readonly client: number;
}

export interface Recorded {
  readonly history: readonly Operation[];
  readonly evictions: number;
  readonly refusals: number;
}

/** Runs the plan to its end. @throws when a client ends with anything but success */
export async function record(plan: Plan, random: Random): Promise<Recorded> {
  const base = process.hrtime.bigint();
  const path = join(plan.folder, 'pool');
  await (
    await openPool({ path, capacityBytes: plan.capacityBytes, segmentBytes: 4 * mib })
  ).close();
  const lives: Life[] = [];
  let failure = '';
  const start = (number: number, life: number): Life => {
    const log = join(plan.folder, `log-${number}-${life}`);
    const words = mapLog(log, logBytes);
    const seed = random.next();
    const given = { ...plan, path, log, logBytes, base: String(base), number, life, seed };
    const child = spawn(process.execPath, [script, JSON.stringify(given)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (failure += text));
    const started = { child, words, client: number * 100 + life };
    lives.push(started);
    return started;
  };

  let first = start(0, 0);
  const others: Life[] = [];
  // Who joins needs a pool that has been taken; who opens it says so by being one of its owners.
  for (let number = 1; number < plan.clients; number++) others.push(start(number, 0));
  const ended = others.map(({ child }) => once(child, 'exit'));
  for (const { words } of lives) words[0] = 1;
  for (let kill = 1; kill <= plan.kills; kill++) {
    await reached(first, random.below(plan.operations / 2));
    first.child.kill('SIGKILL');
    await gone(first.child);
    first = start(0, kill);
    first.words[0] = 1;
  }
  await gone(first.child);
  await Promise.all(ended);
  for (const { child, client } of lives) {
    const { exitCode, signalCode } = child;
    if (exitCode !== 0 && signalCode !== 'SIGKILL')
      throw new Error(`client ${client} ended with ${exitCode ?? signalCode}: ${failure}`);
  }
  return gather(plan, lives);
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** Resolves when a client has begun that many operations, or has ended. */
async function reached({ words, child }: Life, operations: number): Promise<void> {
  while (child.exitCode === null && words[1] === 0 && readLog(words).length <= operations)
    await new Promise((resolve) => setTimeout(resolve, 1));
}

function gather(plan: Plan, lives: readonly Life[]): Recorded {
  const history: Operation[] = [];
  let evictions = 0;
  let refusals = 0;
  for (const { words, client } of lives) {
    for (const found of readLog(words)) {
      if (found.what === action.evict) evictions++;
      if (found.state === status.full || found.state === status.refused) refusals++;
      const returnedNs = found.state === status.untold ? Infinity : found.returnedNs;
      const parts = found.part < 0 ? Array.from({ length: plan.parts }, (_, i) => i) : [found.part];
      for (const part of parts) {
        const told = actionOf(found, parts.length === 1);
        if (told === undefined) continue;
        const name = `${found.context}/${part}`;
        history.push({ client, part: name, action: told, calledNs: found.calledNs, returnedNs });
      }
    }
  }
  return { history, evictions, refusals };
}

/** undefined: it says nothing, a read that never returned or a write that found no room. */
function actionOf(found: LogRecord, isOnePart: boolean): Action | undefined {
  const { what, block, ifVersion, state, blocks } = found;
  if (state === status.full) return undefined;
  const untold = state === status.untold;
  const version = untold ? undefined : found.version;
  switch (what) {
    case action.put:
      return { name: 'put', block, version };
    case action.append:
      return { name: 'append', block, version };
    case action.putIf:
      return {
        name: 'putIf',
        block,
        ifVersion,
        version: state === status.refused ? 'conflict' : version,
      };
    case action.delete:
      return { name: 'delete', removed: untold || !isOnePart ? undefined : found.version };
    case action.evict:
      return { name: 'evict', version: found.version };
    default: {
      if (untold) return undefined;
      if (state === status.absent) return { name: 'get', seen: undefined };
      return {
        name: 'get',
        seen: { version: found.version, blocks: what === action.look ? undefined : blocks },
      };
    }
  }
}
