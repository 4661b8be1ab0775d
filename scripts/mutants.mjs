/**
 * `npm run mutants`: takes one fence, check, revalidation or ordering step after the other out of a copy of the sources and demands that
 * the test which is named beside it fails. First the same tests must pass on the sources as they are.
 *
 * --only NAME (may be repeated): these · --sample N: so many, chosen by CENOTE_SEED · --jobs N: at once · --check: only whether
 * each text is in its file, and the document up to date · --write: only that document · --table FILE: another table, without a document ·
 * --limit SECONDS: of a run, after which a mutant counts as one that hangs
 */

import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { alloc } from '../test/mutants/alloc.mjs';
import { quickFrees } from '../test/mutants/alloc-quick.mjs';
import { chats } from '../test/mutants/chat.mjs';
import { givingBack } from '../test/mutants/giving-back.mjs';
import { describeMutants } from '../test/mutants/describe.mjs';
import { engineEdges } from '../test/mutants/engine-edges.mjs';
import { batcherQueues } from '../test/mutants/engine-queues.mjs';
import { batchedSequences } from '../test/mutants/engine-sequences.mjs';
import { engineState } from '../test/mutants/engine-state.mjs';
import { evictions } from '../test/mutants/evict.mjs';
import { fullPools } from '../test/mutants/full.mjs';
import { guards } from '../test/mutants/guard.mjs';
import { hugePageMutants } from '../test/mutants/huge-pages.mjs';
import { wasmWords } from '../test/mutants/wasm-words.mjs';
import { kv } from '../test/mutants/kv.mjs';
import { kvOffload } from '../test/mutants/kv-offload.mjs';
import { manyOwners } from '../test/mutants/many-owners.mjs';
import { memory } from '../test/mutants/memory.mjs';
import { failedOnTheWay } from '../test/mutants/on-the-way.mjs';
import { tensors } from '../test/mutants/onnx.mjs';
import { pens } from '../test/mutants/pen.mjs';
import { proofs } from '../test/mutants/proof.mjs';
import { shared } from '../test/mutants/sharing.mjs';
import { storeCrashes } from '../test/mutants/store-crash.mjs';
import { storePlaces } from '../test/mutants/store-places.mjs';
import { store } from '../test/mutants/store.mjs';
import { coldParts } from '../test/mutants/tier-cold.mjs';
import { tierLives } from '../test/mutants/tier-life.mjs';
import { tiers } from '../test/mutants/tier.mjs';
import { zeroing } from '../test/mutants/zeroes.mjs';
import { TestTree } from './mutant-tests.mjs';
import { root } from './setup.mjs';

/**
 * `from` stands exactly once in `file`. `killer` is the full name of the test in the file `test`;
 * `brief` where it need not visit every point that there is.
 *
 * @typedef {{ name: string, why: string, file: string, from: string, to: string, test: string, killer: string, brief?: boolean }} Mutant
 */

/** @typedef {{ verdict: 'killed' | 'survived' | 'broken', note: string, seconds: number }} Result */

/** A mutant that makes its test hang is killed too. */
const limitSeconds = 120;

const documentFile = path.join(root, 'test', 'mutants', 'README.md');

/** @type {readonly Mutant[]} */
const ours = [
  ...store,
  ...storePlaces,
  ...storeCrashes,
  ...fullPools,
  ...pens,
  ...failedOnTheWay,
  ...memory,
  ...hugePageMutants,
  ...wasmWords,
  ...zeroing,
  ...manyOwners,
  ...alloc,
  ...quickFrees,
  ...shared,
  ...givingBack,
  ...guards,
  ...kv,
  ...kvOffload,
  ...evictions,
  ...proofs,
  ...tiers,
  ...coldParts,
  ...tierLives,
  ...chats,
  ...batcherQueues,
  ...batchedSequences,
  ...engineState,
  ...engineEdges,
  ...tensors,
];

/** @param {string} folder of the tree @param {Mutant} mutant @returns {string} the source with the mutant in it */
function mutated(folder, { name, file, from, to }) {
  const source = readFileSync(path.join(folder, file), 'utf8');
  const found = source.split(from).length - 1;
  if (found !== 1) throw new Error(`${name}: its text stands ${found} times in ${file}`);
  return source.replace(from, () => to);
}

/** @param {readonly Mutant[]} mutants @throws for a text that does not stand once in its file, a name that is given twice */
function checkTable(mutants) {
  const faults = mutants.flatMap((mutant) => {
    try {
      mutated(root, mutant);
      return [];
    } catch (error) {
      return [String(error)];
    }
  });
  const names = new Set(mutants.map(({ name }) => name));
  if (names.size < mutants.length) faults.push('two mutants have the same name');
  if (mutants === ours && readFileSync(documentFile, 'utf8') !== describeMutants(ours))
    faults.push(`${documentFile} is out of date: npm run mutants -- --write`);
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

/** What is killed by tests in the same file. @param {readonly Mutant[]} chosen @returns {Map<string, [Mutant, ...Mutant[]]>} */
function byFile(chosen) {
  /** @type {Map<string, [Mutant, ...Mutant[]]>} */
  const files = new Map();
  for (const mutant of chosen) {
    const those = files.get(mutant.test);
    if (those === undefined) files.set(mutant.test, [mutant]);
    else those.push(mutant);
  }
  return files;
}

/**
 * What is wrong with the tests in a file before anything is mutated. With CI=true they are brief here, which shows that they run in a copy: the same
 * tests run in full in the run of all tests that this one is part of, which fails where one of them does. In full some take longer than a run may.
 *
 * @param {TestTree} tree
 * @param {readonly [Mutant, ...Mutant[]]} those
 * @returns {Promise<readonly string[]>}
 */
async function faultsOfOriginal(tree, those) {
  const [{ test }] = those;
  const names = [...new Set(those.map(({ killer }) => killer))];
  const brief = process.env['CI'] === 'true' || those.every((mutant) => mutant.brief === true);
  const selection = { changed: [], file: test, names, brief, bail: false };
  const { tests, output } = await tree.run(selection);
  const failed = tests.filter(({ status }) => status === 'failed');
  const faults = failed.map(({ name, why }) => `fails without any mutant: ${name}\n${why}`);
  const passed = new Set(tests.filter(({ status }) => status === 'passed').map(({ name }) => name));
  const missing = those.filter(({ killer }) => !passed.has(killer));
  for (const { name, killer } of missing)
    faults.push(`${name}: no test passes that is named ${killer}`);
  if (missing.length > 0) faults.push(output);
  return faults;
}

/**
 * @param {TestTree} tree
 * @param {Mutant} mutant
 * @param {readonly string[]} changed what is no longer as it was when tests ran last
 * @returns {Promise<Result>}
 */
async function judge(tree, mutant, changed) {
  const file = path.join(tree.folder, mutant.file);
  const original = readFileSync(file, 'utf8');
  const startedMs = performance.now();
  writeFileSync(file, mutated(tree.folder, mutant));
  try {
    const { test, killer, brief = false } = mutant;
    const { tests, hung, output } = await tree.run({
      changed: [...changed, mutant.file],
      file: test,
      names: [killer],
      brief,
      bail: true,
    });
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

function options() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      sample: { type: 'string' },
      check: { type: 'boolean' },
      write: { type: 'boolean' },
      jobs: { type: 'string' },
      table: { type: 'string' },
      limit: { type: 'string' },
    },
  });
  return values;
}

/** @param {readonly Mutant[]} mutants @param {ReturnType<typeof options>} values */
function chosenMutants(mutants, values) {
  const only = values.only ?? mutants.map(({ name }) => name);
  const unknown = only.filter((name) => !mutants.some((mutant) => mutant.name === name));
  if (unknown.length > 0) throw new Error(`there is no mutant ${unknown.join(', ')}`);
  const named = mutants.filter(({ name }) => only.includes(name));
  if (values.sample === undefined) return named;
  const seed = Number(process.env['CENOTE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`chosen by CENOTE_SEED=${seed}`);
  return sampleOf(named, Number(values.sample), seed);
}

/** @param {Mutant} mutant @param {Result} result */
function printResult({ name, test, killer }, { verdict, note, seconds }) {
  const word = `${verdict === 'killed' ? 'killed  ' : verdict.toUpperCase()} ${seconds.toFixed(1).padStart(5)} s`;
  console.log(`${word}  ${name.padEnd(44)} ${test}: ${killer}${note === '' ? '' : `\n${note}`}`);
}

/**
 * Gives out what is to be done, one after the other, to trees that work at once.
 *
 * @template T
 * @param {readonly TestTree[]} trees
 * @param {Iterable<T>} all
 * @param {(tree: TestTree, one: T) => Promise<void>} work
 */
async function share(trees, all, work) {
  const left = [...all];
  await Promise.all(
    trees.map(async (tree) => {
      for (let one = left.shift(); one !== undefined; one = left.shift()) await work(tree, one);
    }),
  );
}

/** @param {readonly Mutant[]} chosen @param {readonly TestTree[]} trees @returns how many are not killed */
async function judgeAll(chosen, trees) {
  /** @type {string[]} */
  const faults = [];
  await share(trees, byFile(chosen).values(), async (tree, those) => {
    faults.push(...(await faultsOfOriginal(tree, those)));
  });
  if (faults.length > 0) throw new Error(faults.join('\n'));
  /** By tree. @type {Map<TestTree, readonly string[]>} */
  const changed = new Map();
  let survivors = 0;
  await share(trees, chosen, async (tree, mutant) => {
    const result = await judge(tree, mutant, changed.get(tree) ?? []);
    changed.set(tree, [mutant.file]);
    if (result.verdict !== 'killed') survivors += 1;
    printResult(mutant, result);
  });
  return survivors;
}

async function main() {
  const values = options();
  const { table, jobs = os.availableParallelism() } = values;
  /** @type {readonly Mutant[]} */
  const mutants = table === undefined ? ours : (await import(pathToFileURL(table).href)).mutants;
  if (values.write) writeFileSync(documentFile, describeMutants(ours));
  // All of them, not only the chosen ones: a text that is gone is seen at once.
  checkTable(mutants);
  if (values.check || values.write) {
    console.log(`${mutants.length} mutants`);
    return;
  }
  const chosen = chosenMutants(mutants, values);
  const limit = Number(values.limit ?? limitSeconds);
  const count = Math.min(Number(jobs), chosen.length);
  const trees = Array.from({ length: count }, () => new TestTree(limit));
  try {
    const survivors = await judgeAll(chosen, trees);
    console.log(`${chosen.length - survivors} of ${chosen.length} mutants killed`);
    if (survivors > 0) process.exitCode = 1;
  } finally {
    for (const tree of trees) tree.remove();
  }
}

await main();
