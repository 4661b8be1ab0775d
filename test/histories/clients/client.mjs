/**
 * A client of a mapped pool: does operations at random, as far as it may, and writes down each and what it was told. It opens the pool by its
 * path, or joins it where somebody has it open, until it is killed or has done all.
 *
 * argv: JSON of { path, log, logBytes, base, number, seed, operations, there, contexts, parts, wordsMax, largeEvery, capacityBytes }
 * Says `open` when it has the pool, waits until it is told to go on, and says `there` before operation number `there`.
 */

import { once } from 'node:events';
import { openPool } from '../../../dist/index.js';
import { Random } from '../../../dist/base/random.js';
import { makeBlock, readBlocks } from './blocks.mjs';
import { action, Log, mapLog, status } from './log.mjs';

/** @type {{ path: string, log: string, logBytes: number, base: string, number: number, life: number, seed: number, operations: number, there: number, contexts: number, parts: number, wordsMax: number, largeEvery: number, capacityBytes: number }} */
const given = JSON.parse(/** @type {string} */ (process.argv[2]));
const random = new Random(given.seed);
const words = mapLog(given.log, given.logBytes);
const log = new Log(words, BigInt(given.base));
const { path, contexts, parts } = given;
/** A part with more blocks is replaced rather than extended. */
const blocksMax = 24;

/** When the operation under way was called. */
let calledNs = 0;
/** Records of the evictions that it has made: they may have happened at any time of it. @type {number[]} */
const evictions = [];
const hooks = {
  audit: {
    /** Told before the part goes, so that it is written down whatever comes. @param {string} what @param {string} id @param {string} part @param {number} version */
    record(what, id, part, version) {
      if (what !== 'evict') return;
      const record = log.call(action.evict, Number(id), Number(part));
      words[record + 5] = calledNs;
      words[record + 8] = version;
      evictions.push(record);
    },
  },
};

/** How often one asks who opens: another may stand still in the middle of a change, and on a busy machine for longer than a lock is waited for. */
const openingsMax = 10;

async function open() {
  for (let opening = 1; ; opening++) {
    try {
      return await tryOpen();
    } catch (error) {
      if (error.code !== 'pool_busy' || opening === openingsMax) throw error;
    }
  }
}

/** Opens the pool for writing where that is possible. */
async function tryOpen() {
  const handle = { region: { type: /** @type {const} */ ('mapped'), path } };
  if (given.number > 0) return openPool({ handle, hooks });
  return openPool({ path, capacityBytes: given.capacityBytes, hooks });
}

const pool = await open();
/** What this client has last seen of each part: for conditional puts. @type {Map<string, number>} */
const versions = new Map();
let blocks = 0;

/** Numbers of blocks are this client's own. */
function nextBlock() {
  return (given.number * 64 + given.life) * 100_000 + ++blocks;
}

function blockWords() {
  const most = random.below(given.largeEvery) === 0 ? given.wordsMax : 64;
  return 2 + random.below(most);
}

/** @param {number} at @param {() => { state: number, version?: number, blocks?: number[] }} work */
function tell(at, work) {
  calledNs = words[at + 5] ?? 0;
  let answer;
  try {
    answer = work();
  } catch (error) {
    if (error.code === 'version_conflict') answer = { state: status.refused };
    else if (error.code === 'pool_full' || error.code === 'pool_busy')
      answer = { state: status.full };
    else throw error;
  }
  log.told(at, answer.state, answer.version, answer.blocks);
  for (const record of evictions.splice(0)) log.told(record, status.done, words[record + 8]);
}

/** @param {number} context @param {number} part */
function read(context, part) {
  tell(log.call(action.get, context, part), () => {
    const lease = pool.get(String(context), String(part));
    if (lease === undefined) return { state: status.absent };
    const { version } = lease;
    const seen = readBlocks(/** @type {Uint32Array} */ (lease.data));
    lease.release();
    versions.set(`${context}/${part}`, version);
    return { state: status.done, version, blocks: seen };
  });
}

/** @param {number} context @param {number} part */
function look(context, part) {
  tell(log.call(action.look, context, part), () => {
    const info = pool.describe(String(context), String(part));
    if (info === undefined) return { state: status.absent };
    return { state: status.done, version: info.version };
  });
}

/** @param {number} context @param {number} part */
function write(context, part) {
  const [id, name] = [String(context), String(part)];
  const key = `${context}/${part}`;
  const draw = random.below(100);
  const done = (/** @type {number} */ version) => {
    versions.set(key, version);
    return { state: status.done, version };
  };
  if (draw < 12) {
    const all = draw < 4;
    tell(log.call(action.delete, context, all ? -1 : part), () => {
      return { state: status.done, version: all ? pool.delete(id) : pool.delete(id, name) };
    });
    return;
  }
  const block = nextBlock();
  const data = makeBlock(block, blockWords());
  if (draw < 30) {
    const ifVersion = random.below(4) === 0 ? 0 : (versions.get(key) ?? 0);
    tell(log.call(action.putIf, context, part, block, ifVersion), () =>
      done(pool.put(id, name, data, { ifVersion })),
    );
  } else if (draw < 60 || (pool.describe(id, name)?.sizeBytes ?? 0) > blocksMax * 400) {
    const tags = random.below(4) === 0 ? ['some'] : [];
    tell(log.call(action.put, context, part, block), () =>
      done(pool.put(id, name, data, { tags })),
    );
  } else {
    tell(log.call(action.append, context, part, block), () => done(pool.append(id, name, data)));
  }
}

process.send?.('open');
await once(process, 'message');
for (let i = 0; i < given.operations && log.hasRoom(1000); i++) {
  if (i === given.there) process.send?.('there');
  const context = random.below(1 + random.below(contexts)); // some are more wanted
  const part = random.below(parts);
  const draw = random.below(10);
  if (!pool.readOnly && draw < 6) write(context, part);
  else if (draw < 9) read(context, part);
  else look(context, part);
}
await pool.close();
