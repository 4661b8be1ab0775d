/**
 * Processes that share a mapped pool are killed and stopped at random, again and again; those that survive recover the dead and go on. Every few
 * kills all of them pause, and what is in the pool is compared with what the ledger says: nothing is lost, nothing is held twice.
 *
 * node main.mjs FOLDER KILLS SEED [WORKERS], with dist built.
 * Prints one line of JSON; ends with status 1 and the reason when something is wrong.
 */

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { code, entriesMax, Ledger } from './ledger.mjs';
import { isInscribed, openOwner, recoverDead } from './owner.mjs';

/** @type {string[]} */
const [folder = '', killsText = '', seedText = '', workersText = '3'] = process.argv.slice(2);
const kills = Number(killsText);
const workerCount = Number(workersText);
const script = fileURLToPath(new URL('worker.mjs', import.meta.url));
/** @type {string} */
const pool = path.join(folder, 'pool');
/** @type {string} */
const ledgerPath = path.join(folder, 'ledger');
/** Kills between two comparisons. */
const compareEvery = 10;
/** Messages of progress, of all workers together, until the next signal: 1 to so many. */
const patience = 24;

let state = Number(seedText) | 1;

/** @param {number} bound */
function below(bound) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state & 0x7fffffff) % bound;
}

/** @typedef {{ child: import('node:child_process').ChildProcess, process: number, busy: number, recovered: number }} Worker */

/** By number: the first owns the pool, the others join it. @type {(Worker | undefined)[]} */
const workers = Array.from({ length: workerCount });
const told = {
  kills: 0,
  stops: 0,
  comparisons: 0,
  operations: 0,
  recovered: 0,
  busy: 0,
  blocks: 0,
};
let processes = 0;
/** Called at each message. @type {(worker: Worker, kind: string) => void} */
let onMessage = () => undefined;
let failure = '';

/** @param {number} number */
function start(number) {
  const id = ++processes;
  const mode = number === 0 ? 'own' : 'join';
  const child = fork(script, [pool, ledgerPath, mode, String(id), seedText], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  /** @type {Worker} */
  const worker = { child, process: id, busy: 0, recovered: 0 };
  workers[number] = worker;
  child.stderr.on('data', (chunk) => (failure += String(chunk)));
  child.on(
    'message',
    (/** @type {{ kind: string, busy: number, recovered: number }} */ message) => {
      const { kind, busy, recovered } = message;
      Object.assign(worker, { busy, recovered });
      if (kind === 'progress') told.operations += 100;
      onMessage(worker, kind);
    },
  );
  child.on('exit', (status, signal) => {
    if (status !== 0 && signal !== 'SIGKILL')
      fail(`worker ${number} ended with ${status ?? signal}`);
    told.busy += worker.busy;
    told.recovered += worker.recovered;
  });
}

/** @param {string} what @returns {never} */
function fail(what) {
  console.error(`${what}\n${failure}`);
  for (const worker of workers) worker?.child.kill('SIGKILL');
  process.exit(1);
}

/** Ends when `count` messages of that kind have come. @param {string} kind @param {number} count */
function messages(kind, count) {
  return new Promise((resolve) => {
    let left = count;
    if (left === 0) resolve(undefined);
    onMessage = (_, what) => {
      if (what === kind && --left === 0) resolve(undefined);
    };
  });
}

async function startMissing() {
  for (let number = 0; number < workerCount; number++) {
    if (workers[number] !== undefined) continue;
    const ready = messages('ready', 1);
    start(number);
    await ready;
  }
}

/** Until one is killed, all work without a rest. */
function hurry() {
  for (const number of running()) workers[number].child.send('hurry');
}

/** @returns {number[]} numbers of those that run */
function running() {
  return [...workers.keys()].filter((number) => workers[number] !== undefined);
}

async function killOne() {
  const numbers = running();
  const number = numbers[below(numbers.length)];
  /** @type {import('node:child_process').ChildProcess} */
  const child = workers[number].child;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
  workers[number] = undefined;
  told.kills++;
}

/** One stands still, perhaps in the middle of a change; the others go on. */
async function stopOne() {
  const numbers = running();
  if (numbers.length < 2) return;
  const { child } = workers[numbers[below(numbers.length)]];
  child.kill('SIGSTOP');
  told.stops++;
  await messages('progress', 1 + below(patience));
  child.kill('SIGCONT');
}

async function pauseAll() {
  await startMissing();
  const paused = messages('paused', workerCount);
  for (const worker of workers) worker.child.send('pause');
  await paused;
}

/** @typedef {{ kind: number, sizeBytes: number, kept: boolean }} Found */

/** References that the ledger has for certain. @param {Ledger} ledger @param {ReadonlySet<number>} living @returns {Set<number>} */
function certain(ledger, living) {
  /** @type {Set<number>} */
  const held = new Set();
  for (let index = 0; index < entriesMax; index++) {
    const { code: what, process: by, ref } = ledger.read(index);
    const isDraft = what === code.draft && living.has(by);
    if (isDraft || what === code.kept || what === code.shared) held.add(ref);
  }
  return held;
}

/**
 * What the dead were at is one of two things: which one, the pool says.
 *
 * @param {ReturnType<typeof openOwner>} owner
 * @param {Ledger} ledger
 * @param {Map<number, Found>} blocks what is live in the pool
 * @param {ReadonlySet<number>} living processes
 */
function settle(owner, ledger, blocks, living) {
  const held = certain(ledger, living);
  for (let index = 0; index < entriesMax; index++) {
    const { code: what, process: by, ref, kind, mark } = ledger.read(index);
    if (what === code.empty || what === code.shared || living.has(by)) continue;
    if (what === code.kept) {
      ledger.setCode(index, code.shared, 0);
      continue;
    }
    const isThere =
      (what === code.keeping || what === code.freeing) && blocks.has(ref) && !held.has(ref);
    if (isThere && isInscribed(owner, ref, mark)) {
      if (what === code.keeping) {
        ledger.setCode(index, code.shared, 0);
        held.add(ref);
        continue;
      }
      owner.allocator.free(ref, kind);
      blocks.delete(ref);
    }
    ledger.setCode(index, code.empty, 0);
  }
}

/** @param {ReadonlySet<number>} living processes */
function compare(living) {
  const ledger = new Ledger(ledgerPath);
  const owner = openOwner(pool, 'join');
  try {
    recoverDead(owner);
    assert.deepEqual(owner.allocator.check(), []);
    /** @type {Map<number, Found>} */
    const blocks = new Map();
    owner.allocator.walk((block) => blocks.set(block.ref, block));
    settle(owner, ledger, blocks, living);
    const count = blocks.size;
    for (let index = 0; index < entriesMax; index++) {
      const { code: what, ref, kind, sizeBytes, mark } = ledger.read(index);
      if (what === code.empty) continue;
      const block = blocks.get(ref);
      assert(
        block !== undefined,
        `block ${ref} of entry ${index} (${what}) is lost, or held twice`,
      );
      blocks.delete(ref);
      assert.deepEqual([block.kind, block.kept], [kind, what !== code.draft], `block ${ref}`);
      assert(block.sizeBytes >= sizeBytes);
      assert(isInscribed(owner, ref, mark), `block ${ref} was overwritten`);
    }
    assert.deepEqual([...blocks.keys()], [], 'blocks that nobody holds');
    assert.deepEqual(owner.allocator.check(), []);
    told.comparisons++;
    told.blocks += count;
    const stats = owner.allocator.stats();
    owner.allocator.leave();
    return stats;
  } finally {
    owner.region.close();
  }
}

function livingProcesses() {
  return new Set(workers.flatMap((worker) => (worker === undefined ? [] : [worker.process])));
}

async function run() {
  mkdirSync(folder, { recursive: true });
  await startMissing();
  hurry();
  while (told.kills < kills) {
    await messages('progress', 1 + below(patience));
    if (below(6) === 0) await stopOne();
    await killOne();
    // The others live with the dead for a while.
    if (running().length === 0 || below(3) > 0) await startMissing();
    if (told.kills % compareEvery === 0) {
      await pauseAll();
      compare(livingProcesses());
      for (const worker of workers) worker.child.send('go');
    }
    hurry();
  }
  await pauseAll();
  compare(livingProcesses()); // what the last dead have left is anybody's
  const gone = workers.map((worker) => once(worker.child, 'exit'));
  for (const worker of workers) worker.child.send('end');
  await Promise.all(gone);
  const { liveBytes, usedBytes } = compare(new Set());
  assert.deepEqual({ liveBytes, usedBytes }, { liveBytes: 0, usedBytes: 0 });
  console.log(JSON.stringify(told));
}

process.once('SIGTERM', () => fail(`not done in time: ${JSON.stringify(told)}`));
run().catch((error) => fail(String(error?.stack ?? error)));
