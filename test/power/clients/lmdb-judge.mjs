/** Opens the LMDB environment in each folder that it is sent, and answers with the transaction that is there, or what is wrong. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { open } from 'lmdb';
import { transactionFor } from './lmdb-transactions.mjs';

/** What is there after each transaction. @type {Map<string, string>[]} */
const states = [new Map()];

/** @param {number} number */
function stateAfter(number) {
  for (let next = states.length; next <= number; next++) {
    const state = new Map(states[next - 1]);
    for (const [key, value] of transactionFor(next)) {
      if (value === undefined) state.delete(key);
      else state.set(key, String(value));
    }
    states.push(state);
  }
  return /** @type {Map<string, string>} */ (states[number]);
}

/** @param {string} folder */
async function look(folder) {
  if (!existsSync(path.join(folder, 'environment/data.mdb'))) return '0';
  const database = open({ path: path.join(folder, 'environment'), encoding: 'binary' });
  try {
    const number = Number(database.get('transaction') ?? 0);
    const expected = stateAfter(number);
    let found = 0;
    for (const { key, value } of database.getRange()) {
      if (key === 'transaction') continue;
      if (expected.get(String(key)) !== String(value))
        return `${String(key)} is not that of transaction ${number}`;
      found++;
    }
    if (found !== expected.size) return `some keys of transaction ${number} are not there`;
    // It goes on from there.
    await database.put('later', Buffer.alloc(10_000));
    return String(number);
  } finally {
    await database.close();
  }
}

process.on('message', (/** @type {string} */ folder) => {
  const answer = (/** @type {string} */ text) => process.send?.(text);
  void look(folder).then(answer, (error) => answer(String(error)));
});
