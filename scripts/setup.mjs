/**
 * Set-up of a clone: installs what is missing and builds what is out of date. Plain JavaScript without
 * dependencies, because it runs before anything is installed. Progress goes to stderr.
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const sourceFolder = path.join(root, 'src');
const outputFolder = path.join(root, 'dist');
/** What entries share, in dist: bundled anew with each build. */
const chunkFolder = `chunks${path.sep}`;
const buildStamp = path.join(root, 'node_modules', '.cenote-build');

/** Says on stderr what goes on; stdout belongs to the program that follows. */
export function say(/** @type {string} */ text) {
  process.stderr.write(`cenote: ${text}\n`);
}

/** Command and leading arguments that run npm: the one that runs us, else the one on the PATH. */
export function npmCommand() {
  const script = process.env['npm_execpath'];
  return script !== undefined && /npm-cli\.c?js$/.test(script)
    ? [process.execPath, script]
    : ['npm'];
}

/**
 * The packages of a lock file by folder, without the project itself.
 *
 * @param {string} file
 * @returns {Record<string, { version: string, integrity?: string, optional?: boolean, link?: boolean }>}
 */
function lockedPackages(file) {
  const { packages } = JSON.parse(readFileSync(file, 'utf8'));
  delete packages[''];
  return packages;
}

/**
 * True when node_modules holds what package-lock.json says. npm writes its own record of what it
 * installed as the last step, so that an interrupted installation does not count. Optional packages
 * may be absent: most of them are for other platforms.
 */
function isInstalled() {
  const record = path.join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = lockedPackages(record);
  const locked = lockedPackages(path.join(root, 'package-lock.json'));
  return Object.entries(locked).every(([folder, { version, integrity, optional }]) => {
    const found = installed[folder];
    if (found === undefined) return optional === true;
    return found.version === version && found.integrity === integrity;
  });
}

/**
 * Installs the locked dependencies when node_modules does not hold them.
 *
 * @returns {boolean} false when that failed; the reason has been said
 */
export function ensureInstalled() {
  if (isInstalled()) return true;
  say('installing dependencies (npm ci), once per change of package-lock.json …');
  const [command, ...leading] = npmCommand();
  // No dependency needs its install script: prebuilt binaries come as packages of their own.
  const options = ['--include=dev', '--include=optional', '--ignore-scripts', '--loglevel=error'];
  const { status, error } = spawnSync(
    /** @type {string} */ (command),
    [...leading, 'ci', ...options],
    {
      cwd: root,
      stdio: ['ignore', 2, 2],
    },
  );
  if (status === 0) return true;
  say(
    `npm ci failed${error === undefined ? '' : `: ${error.message}`}. It needs the npm registry or a filled npm cache.`,
  );
  return false;
}

/** Files under a folder, as paths relative to it, sorted; none when it does not exist. */
function filesUnder(/** @type {string} */ folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}

/** Identifies what a build is made of: every source, the compiler's settings and the compiler. */
function buildHash() {
  const hash = createHash('sha256');
  const settings = [
    'tsconfig.json',
    'tsconfig.build.json',
    'scripts/bundle.mjs',
    'package-lock.json',
  ];
  const sources = filesUnder(sourceFolder).map((file) => path.join('src', file));
  for (const file of [...settings, ...sources]) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(path.join(root, file)))
      .update('\0');
  }
  return hash.digest('hex');
}

/** Removes outputs whose source is gone, so that dist never holds what a fresh build would not. */
function pruneOutput() {
  const stems = new Set(filesUnder(sourceFolder).map((file) => file.replace(/\.ts$/, '')));
  for (const file of filesUnder(outputFolder)) {
    if (file.startsWith(chunkFolder)) continue;
    if (!stems.has(file.replace(/(\.d\.ts|\.js)(\.map)?$/, '')))
      rmSync(path.join(outputFolder, file));
  }
}

/**
 * Compiles src into dist: every module for itself, with its types, and the entries of the package bundled.
 *
 * @returns {boolean} false when there were errors; they have been printed
 */
export function build() {
  const hash = buildHash();
  const isBuilt =
    runNode('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json') &&
    runNode('scripts/bundle.mjs');
  pruneOutput();
  if (!isBuilt) {
    rmSync(buildStamp, { force: true });
    return false;
  }
  mkdirSync(path.dirname(buildStamp), { recursive: true });
  writeFileSync(buildStamp, hash);
  return true;
}

/**
 * Runs a script of the project.
 *
 * @param {string} script
 * @param {string[]} options
 * @returns {boolean} false when it failed; it has said why
 */
function runNode(script, ...options) {
  const { status } = spawnSync(process.execPath, [script, ...options], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  return status === 0;
}

/** Builds when dist is missing or older than its sources. @returns {boolean} false when that failed */
export function ensureBuilt() {
  const isCurrent =
    existsSync(path.join(outputFolder, 'index.js')) &&
    existsSync(buildStamp) &&
    readFileSync(buildStamp, 'utf8') === buildHash();
  if (isCurrent) return true;
  say('building …');
  return build();
}
