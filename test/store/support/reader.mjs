/** Joins a pool, leases every part that it is told of, says so, and waits to be killed. */
import { parentPort, workerData } from 'node:worker_threads';

const { openPool } = await import(workerData.library);
const pool = await openPool({ handle: workerData.handle });
globalThis.kept = workerData.ids.map((id) => pool.get(id, 'p'));
parentPort.postMessage(globalThis.kept.filter((lease) => lease !== undefined).length);
setInterval(() => undefined, 1000);
