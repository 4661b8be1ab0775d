/**
 * Replaces two files, again and again, and says when each is on the disk. argv: the folder, rounds, how: `replaceFile`, or `unsynced`, which is
 * what it would be without syncs
 */

import { closeSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { replaceFile } from '../../../dist/guard/durable-file.js';

/** @type {string[]} */
const [folder = '', count = '', how = ''] = process.argv.slice(2);
/** @type {number} */
const promises = openSync(path.join(folder, 'acknowledged'), 'a');

for (let round = 1; round <= Number(count); round++) {
  for (const name of ['keys.json', 'tenants.json']) {
    // As long as nothing else, so that a mixture shows.
    const text = `${name} ${round} `.repeat(100 + round * 37);
    /** @type {string} */
    const file = path.join(folder, name);
    if (how === 'replaceFile') await replaceFile(file, text);
    else {
      writeFileSync(`${file}.draft`, text);
      renameSync(`${file}.draft`, file);
    }
    writeSync(promises, `${name} ${round}`);
  }
}
closeSync(promises);
