/**
 * Fills a pool and takes snapshots of it, and says when each is on the disk. argv: the folder, snapshots. Before each it says what the pool holds:
 * `begins NAME DIGEST`, and then `ends NAME`.
 */

import { closeSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { openPool } from '../../../dist/index.js';
import { digestOf } from './digest.mjs';

/** @type {string[]} */
const [folder = '', count = ''] = process.argv.slice(2);
/** @type {number} */
const promises = openSync(path.join(folder, 'acknowledged'), 'a');
const pool = await openPool({ capacityBytes: 4 * 2 ** 20 });

for (let round = 1; round <= Number(count); round++) {
  for (let i = 0; i < 30; i++) {
    const data = new Uint8Array(((i * 977 + round * 131) % 40) ** 2 * 20).fill(round * 50 + i);
    pool.put(`context-${i % 10}`, `part-${i}`, data, { tags: [`round-${round}`] });
  }
  const name = `backup-${round}`;
  writeSync(promises, `begins ${name} ${digestOf(pool)}`);
  /** @type {string} */
  const destination = path.join(folder, name);
  await pool.snapshot(destination);
  writeSync(promises, `ends ${name}`);
}
await pool.close();
closeSync(promises);
