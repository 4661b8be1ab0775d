/**
 * Two processes write to one LMDB environment as a tier would, and say which transactions are on the disk. Each transaction sets some keys as its
 * number says and leaves its number under "transaction": what is found later says how far they got.
 *
 * argv: the folder, transactions of each process; when they say so: `flushed`, or `begun`, which is too soon;
 * `overlapping`: the next transaction does not wait until this one is on the disk (LMDB's default here)
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { open } from 'lmdb';
import { transactionFor } from './lmdb-transactions.mjs';

/** @type {string[]} */
const [folder = '', count = '', when = '', syncs = ''] = process.argv.slice(2);
/** @type {number} */
const promises = openSync(path.join(folder, 'acknowledged'), 'a');
const isSecond = process.send !== undefined;
const options = { encoding: 'binary', overlappingSync: syncs === 'overlapping' };

/** @param {string} name */
function sync(name) {
  /** @type {number} */
  const descriptor = openSync(path.join(folder, name), 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

// LMDB does not wait for the disk when it makes an environment, and dies when it opens one that is half made: it gets its name when it is whole.
if (!isSecond) {
  await open({ path: path.join(folder, 'new-environment'), ...options }).close();
  sync('new-environment/data.mdb');
  sync('new-environment');
  renameSync(path.join(folder, 'new-environment'), path.join(folder, 'environment'));
  sync('');
}
const database = open({ path: path.join(folder, 'environment'), ...options });

/** @returns {number} the number of the transaction that comes next */
function nextNumber() {
  const last = database.get('transaction');
  return last === undefined ? 1 : Number(String(last)) + 1;
}

/** One transaction; what is told of it before and after. */
async function transact() {
  let number = 0;
  const ended = database.transaction(() => {
    number = nextNumber();
    for (const [key, value] of transactionFor(number)) {
      void (value === undefined ? database.remove(key) : database.put(key, value));
    }
    void database.put('transaction', Buffer.from(String(number)));
    if (when === 'begun') writeSync(promises, String(number));
  });
  await ended;
  await database.flushed;
  if (when === 'flushed') writeSync(promises, String(number));
}

const second = isSecond
  ? undefined
  : fork(fileURLToPath(import.meta.url), process.argv.slice(2), { execArgv: [] });
// Both write at once.
if (isSecond) process.send('ready');
if (second !== undefined) await once(second, 'message');
const running = [];
for (let i = 1; i <= Number(count); i++) {
  running.push(transact());
  // Some go into one commit.
  if (i % 3 !== 0) await Promise.all(running.splice(0));
}
await Promise.all(running);
await database.close();
closeSync(promises);
if (isSecond) process.disconnect();
else if (second?.exitCode === null) await once(second, 'exit');
