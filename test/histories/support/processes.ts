/** Runs clients in processes over one mapped pool, and gathers the history of what they did. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
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

interface BlocksModule {
  readonly readBlocks: (words: Uint32Array) => number[];
}

const blocksModule = (await import(
  new URL('../clients/blocks.mjs', import.meta.url).href
)) as BlocksModule;

/** Numbers of the blocks of a part. */
export const readBlocks: BlocksModule['readBlocks'] = blocksModule.readBlocks;

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
  /** How often one is killed, and started again. */
  readonly kills: number;
  readonly victims: 'first' | 'anyone';
}

interface Life {
  readonly child: ChildProcess;
  readonly words: Float64Array;
  readonly number: number;
  readonly client: number;
  /** Resolves when it has begun some of its operations, or has ended. */
  readonly there: Promise<void>;
}

export interface Recorded {
  readonly history: readonly Operation[];
  readonly evictions: number;
  readonly refusals: number;
  readonly kills: number;
  readonly stops: number;
}

/** Most milliseconds for which one stands still. */
const stopMaxMs = 40;
/** Most milliseconds that one lives who is killed while it opens the pool. */
const youngMaxMs = 80;
const livesMax = 60;

/** The clients of a plan, as they come and go. */
class Crowd {
  readonly lives: Life[] = [];
  readonly #current: Life[] = [];
  readonly #plan: Plan;
  readonly #random: Random;
  readonly #base = process.hrtime.bigint();
  /** How many of the first ones are yet to open the pool. */
  #awaited: number;
  /** Who has opened it and waits for them: operations are to overlap. */
  readonly #waiting: ChildProcess[] = [];
  failure = '';

  constructor(plan: Plan, random: Random) {
    this.#plan = plan;
    this.#random = random;
    this.#awaited = plan.clients;
    for (let number = 0; number < plan.clients; number++) this.#start(number);
  }

  #start(number: number): void {
    const plan = this.#plan;
    const life = this.lives.filter((each) => each.number === number).length;
    if (life >= livesMax) throw new Error('too many lives for one history');
    const log = join(plan.folder, `log-${number}-${life}`);
    const words = mapLog(log, logBytes);
    const seed = this.#random.next();
    const there = this.#random.below(plan.operations / 2);
    const path = poolOf(plan.folder);
    const base = String(this.#base);
    const given = { ...plan, path, log, logBytes, base, number, life, seed, there };
    const child = fork(script, [JSON.stringify(given)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [],
    });
    // One that was stopped ends by nothing else.
    onTestFinished(() => void child.kill('SIGKILL'));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.failure += text));
    void heard(child, 'open').then(() => this.#meet(child, life === 0));
    const client = number * livesMax + life;
    const started = { child, words, number, client, there: heard(child, 'there') };
    this.lives.push(started);
    this.#current[number] = started;
  }

  /** One has opened the pool, or has ended before. */
  #meet(child: ChildProcess, isFirst: boolean): void {
    if (isFirst) this.#awaited--;
    this.#waiting.push(child);
    if (this.#awaited > 0) return;
    // Who has been killed meanwhile hears nothing.
    for (const each of this.#waiting.splice(0)) each.send('go', () => undefined);
  }

  /** Kills one at some point of its work, or while it is opening the pool, and starts its successor. */
  async killOne(): Promise<void> {
    const { victims } = this.#plan;
    const random = this.#random;
    const number = victims === 'first' ? 0 : random.below(this.#current.length);
    const life = this.#current[number] as Life;
    if (random.below(4) === 0) await pause(random.below(youngMaxMs));
    else await life.there;
    life.child.kill('SIGKILL');
    await gone(life.child);
    this.#start(number);
  }

  /** One stands still, perhaps in the middle of a change; the others go on. */
  async stopOne(): Promise<void> {
    const { child } = this.#current[this.#random.below(this.#current.length)] as Life;
    child.kill('SIGSTOP');
    await pause(this.#random.below(stopMaxMs));
    child.kill('SIGCONT');
  }

  /** Waits until all have done what they have to do. @throws when one has failed */
  async end(): Promise<void> {
    for (const { child } of this.#current) await gone(child);
    for (const { child, client } of this.lives) {
      const { exitCode, signalCode } = child;
      if (exitCode !== 0 && signalCode !== 'SIGKILL')
        throw new Error(`client ${client} ended with ${exitCode ?? signalCode}: ${this.failure}`);
    }
  }
}

export function poolOf(folder: string): string {
  return join(folder, 'pool');
}

/** Runs the plan to its end. @throws when a client ends with anything but success */
export async function record(plan: Plan, random: Random): Promise<Recorded> {
  const path = poolOf(plan.folder);
  const made = await openPool({ path, capacityBytes: plan.capacityBytes, segmentBytes: 4 * mib });
  await made.close();
  const crowd = new Crowd(plan, random);
  let stops = 0;
  for (let kill = 0; kill < plan.kills; kill++) {
    if (plan.victims === 'anyone' && random.below(3) === 0) {
      await crowd.stopOne();
      stops++;
    }
    await crowd.killOne();
  }
  await crowd.end();
  return { ...gather(plan, crowd.lives), kills: plan.kills, stops };
}

/** Time itself is the subject: how long one stands still, or lives while it opens the pool, which tells nobody how far it is. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** Resolves when a client has said that, or has ended. */
async function heard(child: ChildProcess, word: string): Promise<void> {
  await new Promise<void>((resolve) => {
    child.on('message', (said) => {
      if (said === word) resolve();
    });
    child.once('exit', resolve);
  });
}

function gather(
  plan: Plan,
  lives: readonly Life[],
): Pick<Recorded, 'history' | 'evictions' | 'refusals'> {
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
