/**
 * Completes package-lock.json after a change of dependencies: `node scripts/complete-lock.mjs`. With
 * `--check` it writes nothing and fails when an entry is missing.
 *
 * npm leaves an optional package out of the lock when the registry does not offer it, as mirrors do that carry
 * the binaries of one platform, and then refuses that lock in `npm ci`. An entry with version and platform is
 * enough: npm skips it on every other platform, and its own platform gets exactly that version.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root, say } from './setup.mjs';

/**
 * @typedef {{
 *   version: string, dev?: boolean, optional?: boolean, os?: string[], cpu?: string[], libc?: string[],
 *   optionalDependencies?: Record<string, string>
 * }} Entry
 */

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'openbsd', 'openharmony', 'win32'];
const processors = [
  'arm64',
  'arm',
  'ia32',
  'loong64',
  'ppc64',
  'riscv64',
  's390x',
  'wasm32',
  'x64',
];
const libraries = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' };

/** The platform that a package of binaries says it is for, such as `@oxfmt/binding-linux-arm64-musl`. */
function platformOf(/** @type {string} */ name) {
  const words = name.split(/[/-]/);
  const libc = Object.entries(libraries).find(([word]) => words.includes(word))?.[1];
  const os = systems.filter((system) => words.includes(system));
  const cpu = processors.filter((processor) => words.includes(processor));
  return { os, cpu, ...(libc === undefined ? {} : { libc: [libc] }) };
}

/** Optional dependencies that have no entry, with the entry each should have. @returns {Map<string, Entry>} */
function missingEntries(/** @type {Record<string, Entry>} */ packages) {
  const missing = new Map();
  for (const [folder, { optionalDependencies = {}, dev }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const isThere = [`${folder}/node_modules/${name}`, `node_modules/${name}`].some(
        (place) => place in packages,
      );
      if (isThere) continue;
      const { os, cpu, libc } = platformOf(name);
      if (!/^\d+\.\d+\.\d+/.test(version) || (os.length === 0 && cpu.length === 0)) {
        throw new Error(`cannot tell which version of ${name} is for which platform`);
      }
      const entry = {
        version,
        cpu,
        ...(dev ? { dev } : {}),
        ...(libc ? { libc } : {}),
        optional: true,
        os,
      };
      missing.set(`node_modules/${name}`, entry);
    }
  }
  return missing;
}

const file = path.join(root, 'package-lock.json');
/** @type {{ packages: Record<string, Entry> }} */
const lock = JSON.parse(readFileSync(file, 'utf8'));
const missing = missingEntries(lock.packages);
if (process.argv[2] === '--check') {
  for (const folder of missing.keys()) say(`package-lock.json has no entry for ${folder}`);
  process.exitCode = missing.size === 0 ? 0 : 1;
} else if (missing.size > 0) {
  const packages = Object.entries({ ...lock.packages, ...Object.fromEntries(missing) });
  packages.sort(([a], [b]) => (a < b ? -1 : 1));
  lock.packages = Object.fromEntries(packages);
  writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`);
  say(`${missing.size} entries added to package-lock.json`);
}
