/** The dialogues: a published set where it is at hand, a few of our own where it is not. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const publishedName = 'hh_rlhf_harmless_test.jsonl.gz';
const defaultFolder = fileURLToPath(new URL('../../../shared/data', import.meta.url));
const ownFile = new URL('dialogues.json', import.meta.url);

/** A turn begins where its speaker is named. */
const turnStart = /(?=\n\n(?:Human|Assistant):)/;

/**
 * The turns of each dialogue; joined they are the text as it was published.
 *
 * @param {string} folder where the published set is looked for
 * @returns {{ description: string, dialogues: string[][] }}
 */
export function readDialogues(folder = process.env['CENOTE_DATA'] || defaultFolder) {
  const published = join(folder, publishedName);
  if (!existsSync(published)) {
    const description = `a few dialogues of our own (${publishedName} is not in ${folder})`;
    /** @type {string[]} */
    const texts = JSON.parse(readFileSync(ownFile, 'utf8'));
    return { description, dialogues: texts.map(turnsOf) };
  }
  const lines = gunzipSync(readFileSync(published)).toString('utf8').trimEnd().split('\n');
  return { description: published, dialogues: lines.map((line) => turnsOf(transcriptOf(line))) };
}

/** @param {string} line @returns {string} */
function transcriptOf(line) {
  /** @type {{ chosen: string }} */
  const { chosen } = JSON.parse(line);
  return chosen;
}

/** @param {string} text */
function turnsOf(text) {
  return text.split(turnStart);
}
