/**
 * Opens the pool with a disk tier in each folder that it is sent, and answers with what its parts are, as JSON: { states: { PART: STATE }, errors },
 * or with the code of what it was told.
 */

import path from 'node:path';
import { openPool } from '../../../dist/index.js';
import { readBlocks } from '../../histories/clients/blocks.mjs';

const contexts = 8;
const parts = 2;

/** @param {import('../../../dist/index.js').Pool} pool @param {string} id @param {string} name */
async function stateIn(pool, id, name) {
  const lease = await pool.load(id, name);
  if (lease === undefined) return '-';
  const numbers = readBlocks(/** @type {Uint32Array} */ (lease.data));
  lease.release();
  return numbers.join('.');
}

/** @param {string} folder */
async function look(folder) {
  const given = {
    path: path.join(folder, 'pool'),
    capacityBytes: 16 * 2 ** 20,
    segmentBytes: 4 * 2 ** 20,
    tiers: { disk: { reserveBytes: 0 } },
  };
  const pool = await openPool(given);
  try {
    /** @type {Record<string, string>} */
    const states = {};
    for (let id = 0; id < contexts; id++) {
      for (let part = 0; part < parts; part++)
        states[`${id}/${part}`] = await stateIn(pool, String(id), String(part));
    }
    const { errors } = pool.check();
    // It goes on from there.
    pool.put('later', 'part', 'text');
    await pool.persist('later');
    return JSON.stringify({ states, errors });
  } finally {
    await pool.close();
  }
}

process.on('message', (/** @type {string} */ folder) => {
  const answer = (/** @type {string} */ text) => process.send?.(text);
  void look(folder).then(answer, (error) =>
    answer(JSON.stringify({ code: error.code ?? 'none', message: String(error.message) })),
  );
});
