/**
 * A process that allocates, keeps, hands over and frees in a pool that others share, until it is killed. argv: folder, ledger, own or join,
 * process number, seed.
 *
 * It tells of its progress; it is told to hurry, to pause, to go on, and to end.
 */

import { code, entriesMax, Ledger } from './ledger.mjs';
import { inscribe, isInscribed, kindCount, openOwner, recoverDead } from './owner.mjs';

/** @type {string[]} */
const [folder = '', ledgerPath = '', mode = '', processText = '', seedText = ''] =
  process.argv.slice(2);
const self = Number(processText);
/** Operations between two looks at messages. */
const chunk = 100;
/** Chunks between two looks at who has died. */
const lookEvery = 8;
/** Chunks without a rest when it is told to hurry: by then somebody has been killed. */
const chunksWithoutRest = 10;
/** After each other chunk, while the next one starts: that takes long where nobody leaves it a core. */
const restMs = 5;
/** Entries of its own that it tries to stay below. */
const heldMost = 250;

let state = (Number(seedText) ^ (self * 0x9e3779b9)) | 1;

/** @param {number} bound */
function below(bound) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state & 0x7fffffff) % bound;
}

const ledger = new Ledger(ledgerPath);
const owner = openOwner(folder, mode === 'own' ? 'own' : 'join');
const { allocator } = owner;
/** Indices of entries that are ours. @type {number[]} */
const held = [];
let marks = 0;
let busy = 0;
let recovered = 0;

/** What the pool does, unless it is busy. @template T @param {() => T} work @returns {T | undefined} */
function unlessBusy(work) {
  try {
    return work();
  } catch (error) {
    if (error.code !== 'pool_busy') throw error;
    busy++;
    return undefined;
  }
}

/** @param {number} wanted @returns {number} an entry with that code, now ours as `next`, or -1 @param {number} next */
function find(wanted, next) {
  for (let tries = 0, index = below(entriesMax); tries < 64; tries++, index++) {
    const entry = ledger.read(index % entriesMax);
    if (entry.code === wanted && ledger.take(index % entriesMax, entry, next, self))
      return index % entriesMax;
  }
  return -1;
}

function allocate() {
  const index = find(code.empty, code.allocating);
  if (index < 0) return false;
  const kind = below(kindCount);
  const sizeBytes = 1 + below([200, 200, 4096, 4096, 30_000, 150_000, 1_500_000][below(7)]);
  const ref = unlessBusy(() => allocator.allocate(kind, sizeBytes)) ?? 0;
  if (ref === 0) {
    ledger.setCode(index, code.empty, 0);
    return false;
  }
  const mark = (self << 16) ^ (marks++ & 0xffff);
  inscribe(owner, ref, mark);
  ledger.describe(index, { ref, kind, sizeBytes, mark });
  ledger.setCode(index, code.draft, self);
  held.push(index);
  return true;
}

/** @param {number} index @param {string} when */
function verify(index, when) {
  const { ref, mark } = ledger.read(index);
  if (!isInscribed(owner, ref, mark)) throw new Error(`block ${ref} was overwritten: ${when}`);
}

/** @param {number} at of `held` */
function keep(at) {
  const index = held[at];
  const entry = ledger.read(index);
  if (entry.code !== code.draft) return;
  ledger.setCode(index, code.keeping, self);
  const done = unlessBusy(() => (allocator.keep(entry.ref), true));
  ledger.setCode(index, done === true ? code.kept : code.draft, self);
}

/** @param {number} at of `held` */
function forget(at) {
  held[at] = held.at(-1);
  held.pop();
}

/** @param {number} at of `held` */
function share(at) {
  const index = held[at];
  if (ledger.read(index).code !== code.kept) return;
  forget(at);
  verify(index, 'before it was handed over');
  ledger.setCode(index, code.shared, 0);
}

/** @param {number} index of an entry that is ours */
function free(index) {
  const { ref, kind } = ledger.read(index);
  verify(index, 'before it was freed');
  ledger.setCode(index, code.freeing, self);
  allocator.free(ref, kind); // is never busy
  ledger.setCode(index, code.empty, 0);
}

/** @param {number} at of `held` */
function freeHeld(at) {
  const index = held[at];
  forget(at);
  free(index);
}

function adopt() {
  const index = find(code.shared, code.kept);
  if (index < 0) return;
  verify(index, 'when it was taken over');
  if (below(3) === 0) held.push(index);
  else free(index);
}

function step() {
  const choice = below(100);
  if (held.length === 0 || (choice < 45 && held.length < heldMost)) {
    if (allocate()) return;
    adopt();
    for (let i = 0; i < 10 && held.length > 0; i++) freeHeld(below(held.length));
    return;
  }
  if (choice < 60) keep(below(held.length));
  else if (choice < 72) share(below(held.length));
  else if (choice < 84) adopt();
  else freeHeld(below(held.length));
  if (below(2000) === 0) allocator.flush();
}

/** @type {'going' | 'paused'} */
let mood = 'going';
let chunks = 0;
let restsAfter = 0;
/** @type {NodeJS.Timeout | undefined} */
let resting;

function run() {
  clearTimeout(resting);
  if (mood === 'paused') return;
  for (let i = 0; i < chunk; i++) step();
  if (++chunks % lookEvery === 0) recovered += unlessBusy(() => recoverDead(owner)) ?? 0;
  process.send({ kind: 'progress', busy, recovered });
  if (chunks < restsAfter) setImmediate(run);
  else resting = setTimeout(run, restMs);
}

function end() {
  while (held.length > 0) freeHeld(held.length - 1);
  for (let index = 0; index < entriesMax; index++) {
    const entry = ledger.read(index);
    if (entry.code === code.shared && ledger.take(index, entry, code.kept, self)) free(index);
  }
  allocator.leave();
  owner.region.close();
  process.send({ kind: 'ended', busy, recovered });
  process.disconnect();
}

process.on('message', (message) => {
  if (message === 'hurry') restsAfter = chunks + chunksWithoutRest;
  else if (message === 'pause') {
    mood = 'paused';
    process.send({ kind: 'paused', busy, recovered });
  } else if (message === 'go') {
    mood = 'going';
    run();
  } else if (message === 'end') end();
});
// Nobody is left to work for.
process.on('disconnect', () => process.exit(0));
process.send({ kind: 'ready', busy, recovered });
run();
