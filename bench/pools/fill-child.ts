/** Fills a pool of 2 GiB and ends: `node fill-child.js FOLDER PARTS BYTES close|kill|persist memory|disk`. */

import { openPool } from 'cenote';
import { conversationIds } from '../store/ids.ts';
import { part, payloadOf } from '../store/pools.ts';

const capacityBytes = 2 * 2 ** 30;
/** Parts that wait for the disk together. */
const togetherMax = 256;

const [folder, parts, sizeBytes, end, tier] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
const tiers = tier === 'disk' ? { tiers: { disk: {} } } : {};
const pool = await openPool({ path: folder, capacityBytes, ...tiers });
const payload = payloadOf(Number(sizeBytes));
let waiting: Promise<void>[] = [];
for (const id of conversationIds(Number(parts))) {
  pool.put(id, part, payload);
  if (end !== 'persist') continue;
  waiting.push(pool.persist(id));
  if (waiting.length === togetherMax) {
    await Promise.all(waiting);
    waiting = [];
  }
}
await Promise.all(waiting);
if (end === 'kill') process.kill(process.pid, 'SIGKILL');
await pool.close();
