/**
 * Writes to a pool with a disk tier, persists some of it, and says what is durable. Between, it copies the files of the pool's memory, since what is
 * written through a mapping is not recorded.
 *
 * argv: the folder that is recorded, rounds, a seed. Beside the folder: `moment-N`, segments as they were then.
 * It says: `begin PART STATE` before a change, `durable PART STATE` after a persist, `moment N`; a state is the numbers of blocks, `-` for no part.
 */

import { closeSync, copyFileSync, mkdirSync, openSync, readdirSync, writeSync } from 'node:fs';
import path from 'node:path';
import { Random } from '../../../dist/base/random.js';
import { openPool } from '../../../dist/index.js';
import { makeBlock } from '../../histories/clients/blocks.mjs';

/** @type {string[]} */
const [folder = '', rounds = '', seed = ''] = process.argv.slice(2);
const random = new Random(Number(seed));
/** @type {string} */
const poolPath = path.join(folder, 'pool');
/** @type {number} */
const promises = openSync(path.join(folder, 'acknowledged'), 'a');
const say = (/** @type {string} */ text) => writeSync(promises, text);

const pool = await openPool({
  path: poolPath,
  capacityBytes: 16 * 2 ** 20,
  segmentBytes: 4 * 2 ** 20,
  tiers: { disk: { reserveBytes: 0 } },
});
const contexts = 8;
const parts = 2;
const blocksMax = 6;
/** What is in memory, by part. @type {Map<string, number[]>} */
const states = new Map();
let blocks = 0;
let moments = 0;

function rememberMemory() {
  const copy = path.join(folder, '..', `moment-${moments}`);
  mkdirSync(copy);
  for (const name of readdirSync(poolPath).filter((each) => each.startsWith('segment-')))
    copyFileSync(path.join(poolPath, name), path.join(copy, name));
  say(`moment ${moments++}`);
}

/** @param {string} part */
function stateOf(part) {
  return states.get(part)?.join('.') ?? '-';
}

function blockWords() {
  return 2 + random.below(random.below(4) === 0 ? 60_000 : 600);
}

/** @param {string} id @param {string} name */
function change(id, name) {
  const part = `${id}/${name}`;
  const old = states.get(part);
  const draw = random.below(10);
  if (draw < 2) {
    states.delete(part);
    say(`begin ${part} -`);
    pool.delete(id, name);
    return;
  }
  const block = ++blocks;
  const extends_ = draw < 5 && old !== undefined && old.length < blocksMax;
  states.set(part, extends_ ? [...old, block] : [block]);
  say(`begin ${part} ${stateOf(part)}`);
  const data = makeBlock(block, blockWords());
  if (extends_) pool.append(id, name, data);
  else pool.put(id, name, data, { tags: random.below(3) === 0 ? ['some'] : [] });
}

/** @param {string} id */
async function persist(id) {
  const now = Array.from({ length: parts }, (_, n) => [`${id}/${n}`, stateOf(`${id}/${n}`)]);
  await pool.persist(id);
  for (const [part, state] of now) say(`durable ${part} ${state}`);
}

// The memory has more than its first segment, which is the only one that is ever synced.
for (const part of ['one', 'two']) pool.put('ballast', part, new Uint8Array(2.5 * 2 ** 20));
rememberMemory();
for (let round = 0; round < Number(rounds); round++) {
  for (let i = random.below(6); i >= 0; i--)
    change(String(random.below(contexts)), String(random.below(parts)));
  // Several are on their way to the disk together.
  const ids = new Set(
    Array.from({ length: random.below(4) }, () => String(random.below(contexts))),
  );
  await Promise.all([...ids].map(persist));
  if (round % 10 === 9) rememberMemory();
}
rememberMemory();
await pool.close();
rememberMemory();
closeSync(promises);
