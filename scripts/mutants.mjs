/**
 * `npm run mutants`: takes one fence, check, revalidation or ordering step after the other out of a copy of the sources and demands that
 * the test which is named beside it fails. First the same tests must pass on the sources as they are.
 *
 * --only NAME (may be repeated): these · --sample N: so many, chosen by CENOTE_SEED · --jobs N: at once · --check: only whether
 * each text is in its file, and the document up to date · --write: only that document
 */

import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { alloc } from '../test/mutants/alloc.mjs';
import { chats } from '../test/mutants/chat.mjs';
import { givingBack } from '../test/mutants/giving-back.mjs';
import { describeMutants } from '../test/mutants/describe.mjs';
import { batcherQueues } from '../test/mutants/engine-queues.mjs';
import { batchedSequences } from '../test/mutants/engine-sequences.mjs';
import { engineState } from '../test/mutants/engine-state.mjs';
import { evictions } from '../test/mutants/evict.mjs';
import { guards } from '../test/mutants/guard.mjs';
import { kv } from '../test/mutants/kv.mjs';
import { kvOffload } from '../test/mutants/kv-offload.mjs';
import { manyOwners } from '../test/mutants/many-owners.mjs';
import { memory } from '../test/mutants/memory.mjs';
import { tensors } from '../test/mutants/onnx.mjs';
import { pens } from '../test/mutants/pen.mjs';
import { proofs } from '../test/mutants/proof.mjs';
import { storeCrashes } from '../test/mutants/store-crash.mjs';
import { storePlaces } from '../test/mutants/store-places.mjs';
import { store } from '../test/mutants/store.mjs';
import { tiers } from '../test/mutants/tier.mjs';
import { root } from './setup.mjs';

/**
 * `from` stands exactly once in `file`. `killer` is the full name of the test in the file `test`;
 * `brief` where it need not visit every point that there is.
 *
 * @typedef {{ name: string, why: string, file: string, from: string, to: string, test: string, killer: string, brief?: boolean }} Mutant
 */

/** @typedef {{ verdict: 'killed' | 'survived' | 'broken', note: string, seconds: number }} Result */

/** Every point that a test may choose is visited, from the same seed, so that what is killed once is killed always. */
const environment = { CENOTE_SEED: '1' };

/** Last characters of what a failed run has printed. */
const outputChars = 4000;

/** A mutant that makes its test hang is killed too. */
const limitSeconds = 120;
/** All of them at once, without a mutant, may take so many times as long. */
const wholeRuns = 5;

/** What a copy needs to run tests. */
const copied = ['src', 'test', 'bench', 'package.json', 'tsconfig.json'];

const documentFile = path.join(root, 'test', 'mutants', 'README.md');

/** @type {readonly Mutant[]} */
const mutants = [
  ...store,
  ...storePlaces,
  ...storeCrashes,
  ...pens,
  ...memory,
  ...manyOwners,
  ...alloc,
  ...givingBack,
  ...guards,
  ...kv,
  ...kvOffload,
  ...evictions,
  ...proofs,
  ...tiers,
  ...chats,
  ...batcherQueues,
  ...batchedSequences,
  ...engineState,
  ...tensors,
];

/** @param {Mutant} mutant @returns {string} the source with the mutant in it */
function mutated({ name, file, from, to }) {
  const source = readFileSync(path.join(root, file), 'utf8');
  const found = source.split(from).length - 1;
  if (found !== 1) throw new Error(`${name}: its text stands ${found} times in ${file}`);
  return source.replace(from, () => to);
}

/** @throws for a text that does not stand once in its file, a name that is given twice, a document that is out of date */
function checkTable() {
  const faults = mutants.flatMap((mutant) => {
    try {
      mutated(mutant);
      return [];
    } catch (error) {
      return [String(error)];
    }
  });
  const names = new Set(mutants.map(({ name }) => name));
  if (names.size < mutants.length) faults.push('two mutants have the same name');
  if (readFileSync(documentFile, 'utf8') !== describeMutants(mutants))
    faults.push(`${documentFile} is out of date: npm run mutants -- --write`);
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

/** A copy of the tree with a configuration of its own: nothing is built, and nothing is written beside it. */
function copyTree() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'cenote-mutants-'));
  for (const name of copied)
    cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  const config = {
    cacheDir: path.join(folder, 'cache'),
    test: {
      include: ['test/**/*.test.ts'],
      pool: 'forks',
      fileParallelism: false,
      testTimeout: limitSeconds * 1000,
    },
  };
  writeFileSync(
    path.join(folder, 'vitest.config.mjs'),
    `export default ${JSON.stringify(config)};\n`,
  );
  return folder;
}

/** A regular expression of the tests with these full names. @param {readonly string[]} names */
function pattern(names) {
  const literal = names.map((name) => name.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`));
  return `^(${literal.join('|')})$`;
}

/** Of the variables around us, those of a vitest that runs us would confuse another one. */
const variables = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(VITEST.*|TEST|NODE_ENV|CI)$/.test(name)),
);

/** @typedef {{ files: readonly string[], names: readonly string[], brief: boolean, bail: boolean }} Selection */

/**
 * Runs tests in a copy.
 *
 * @param {string} folder
 * @param {Selection} selection
 * @returns {Promise<{ tests: Outcome[], hung: boolean, output: string }>}
 */
async function runTests(folder, { files, names, brief, bail }) {
  const report = path.join(folder, 'report.json');
  rmSync(report, { force: true });
  const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const reporting = ['--reporter=json', `--outputFile=${report}`, `--bail=${bail ? 1 : 0}`];
  const child = spawn(
    process.execPath,
    [vitest, 'run', ...reporting, '-t', pattern(names), ...files],
    {
      cwd: folder,
      env: { ...variables, ...environment, ...(brief ? {} : { CI: 'true' }) },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => (output = (output + String(chunk)).slice(-outputChars)));
  let hung = false;
  // vitest runs tests in processes of its own: the group goes, not the child alone.
  const timer = setTimeout(
    () => {
      hung = true;
      process.kill(-(/** @type {number} */ (child.pid)), 'SIGKILL');
    },
    limitSeconds * (bail ? 1 : wholeRuns) * 1000,
  );
  await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return { tests: hung ? [] : readReport(report), hung, output };
}

/** @typedef {{ name: string, status: string, why: string }} Outcome */

/** @param {string} report @returns {Outcome[]} */
function readReport(report) {
  try {
    /** @type {{ testResults: { assertionResults: { fullName: string, status: string, failureMessages: string[] }[] }[] }} */
    const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
    return testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .map(({ fullName: name, status, failureMessages }) => ({
        name,
        status,
        why: failureMessages.join('\n'),
      }));
  } catch {
    return []; // there is none: vitest itself failed, and `output` says why
  }
}

/** @param {string} folder @param {readonly Mutant[]} chosen @returns {Promise<readonly string[]>} what is wrong before anything is mutated */
async function faultsOfOriginal(folder, chosen) {
  /** @type {string[]} */
  const faults = [];
  for (const brief of [true, false]) {
    const those = chosen.filter((mutant) => (mutant.brief === true) === brief);
    if (those.length === 0) continue;
    const files = [...new Set(those.map(({ test }) => test))];
    const names = [...new Set(those.map(({ killer }) => killer))];
    const { tests, output } = await runTests(folder, { files, names, brief, bail: false });
    for (const { name, status, why } of tests)
      if (status === 'failed') faults.push(`fails without any mutant: ${name}\n${why}`);
    const passed = new Set(
      tests.filter(({ status }) => status === 'passed').map(({ name }) => name),
    );
    const missing = those.filter(({ killer }) => !passed.has(killer));
    for (const { name, killer } of missing)
      faults.push(`${name}: no test passes that is named ${killer}`);
    if (missing.length > 0) faults.push(output);
  }
  return faults;
}

/** @param {string} folder @param {Mutant} mutant @returns {Promise<Result>} */
async function judge(folder, mutant) {
  const file = path.join(folder, mutant.file);
  const original = readFileSync(file, 'utf8');
  const startedMs = performance.now();
  writeFileSync(file, mutated(mutant));
  try {
    const { test, killer, brief = false } = mutant;
    const selection = { files: [test], names: [killer], brief, bail: true };
    const { tests, hung, output } = await runTests(folder, selection);
    const seconds = (performance.now() - startedMs) / 1000;
    if (hung) return { verdict: 'killed', note: 'hangs', seconds };
    const failed = tests.find(({ status }) => status === 'failed');
    // A mutant that is no program says nothing about the test.
    if (failed !== undefined && /ReferenceError|SyntaxError|is not a function/.test(failed.why))
      return { verdict: 'broken', note: failed.why, seconds };
    if (failed !== undefined) return { verdict: 'killed', note: '', seconds };
    const ran = tests.some(({ status }) => status === 'passed');
    return ran
      ? { verdict: 'survived', note: '', seconds }
      : { verdict: 'broken', note: output, seconds };
  } finally {
    writeFileSync(file, original);
  }
}

/** @param {readonly Mutant[]} from @param {number} count @param {number} seed */
function sampleOf(from, count, seed) {
  const first = seed % from.length;
  return [...from.slice(first), ...from.slice(0, first)].slice(0, count);
}

function chosenMutants() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      sample: { type: 'string' },
      check: { type: 'boolean' },
      write: { type: 'boolean' },
      jobs: { type: 'string' },
    },
  });
  const only = values.only ?? mutants.map(({ name }) => name);
  const unknown = only.filter((name) => !mutants.some((mutant) => mutant.name === name));
  if (unknown.length > 0) throw new Error(`there is no mutant ${unknown.join(', ')}`);
  const named = mutants.filter(({ name }) => only.includes(name));
  const seed = Number(process.env['CENOTE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  if (values.sample !== undefined) console.log(`chosen by CENOTE_SEED=${seed}`);
  const chosen = values.sample === undefined ? named : sampleOf(named, Number(values.sample), seed);
  return {
    chosen,
    check: values.check === true,
    write: values.write === true,
    jobs: Number(values.jobs ?? os.availableParallelism()),
  };
}

/** @param {Mutant} mutant @param {Result} result */
function printResult({ name, test, killer }, { verdict, note, seconds }) {
  const word = `${verdict === 'killed' ? 'killed  ' : verdict.toUpperCase()} ${seconds.toFixed(1).padStart(5)} s`;
  console.log(`${word}  ${name.padEnd(44)} ${test}: ${killer}${note === '' ? '' : `\n${note}`}`);
}

async function main() {
  const { chosen, check, write, jobs } = chosenMutants();
  if (write) writeFileSync(documentFile, describeMutants(mutants));
  // All of them, not only the chosen ones: a text that is gone is seen at once.
  checkTable();
  if (check || write) {
    console.log(`${mutants.length} mutants`);
    return;
  }
  const folders = Array.from({ length: Math.min(jobs, chosen.length) }, copyTree);
  try {
    const faults = await faultsOfOriginal(/** @type {string} */ (folders[0]), chosen);
    if (faults.length > 0) throw new Error(faults.join('\n'));
    const left = [...chosen];
    let survivors = 0;
    await Promise.all(
      folders.map(async (folder) => {
        for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
          const result = await judge(folder, mutant);
          if (result.verdict !== 'killed') survivors += 1;
          printResult(mutant, result);
        }
      }),
    );
    console.log(`${chosen.length - survivors} of ${chosen.length} mutants killed`);
    if (survivors > 0) process.exitCode = 1;
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

await main();
