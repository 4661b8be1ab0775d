/**
 * A vitest that stays: `node scripts/mutant-vitest.mjs`, in a tree of its own and with a channel to who started it. Runs what it is sent, each file in a
 * new process, and answers with what came of each test. What stays from run to run is what vitest has read and translated of files that did not change.
 */

import path from 'node:path';
import { createVitest } from 'vitest/node';
import { escapeRegExp } from './mutant-tests.mjs';

/** @typedef {import('./mutant-tests.mjs').Selection} Selection */
/** @typedef {import('./mutant-tests.mjs').Outcome} Outcome */
/** @typedef {import('vitest/node').TestCase} TestCase */

const root = process.cwd();

/** What has been told in this run. @type {TestCase[]} */
let ended = [];
/** @type {import('vitest').SerializedError[]} */
let faults = [];

const vitest = await createVitest('test', {
  root,
  config: path.join(root, 'vitest.config.mjs'),
  watch: false,
  reporters: [
    {
      onTestCaseResult: (testCase) => void ended.push(testCase),
      onTestModuleEnd: (testModule) => void faults.push(...testModule.errors()),
      onTestRunEnd: (_, errors) => void faults.push(...errors),
    },
  ],
});
const project = vitest.getRootProject();

/** Matches the tests with these full names. @param {readonly string[]} names */
function pattern(names) {
  return new RegExp(`^(${names.map((name) => escapeRegExp(name)).join('|')})$`);
}

/** With the names of its suites. @param {TestCase} testCase */
function fullName({ parent, name }) {
  const names = [name];
  for (let at = parent; at.type === 'suite'; at = at.parent) names.unshift(at.name);
  return names.join(' ');
}

/** @param {TestCase} testCase @returns {Outcome} */
function outcome(testCase) {
  const { state, errors = [] } = testCase.result();
  const why = errors.map(({ stack, message }) => stack ?? message).join('\n');
  return { name: fullName(testCase), status: state, why };
}

/** @param {Selection} selection */
async function run({ changed, file, names, brief, bail }) {
  for (const one of changed) vitest.invalidateFile(path.join(root, one));
  if (brief) delete process.env['CI'];
  else process.env['CI'] = 'true';
  project.config.bail = bail ? 1 : 0;
  ended = [];
  faults = [];
  const where = { testNamePattern: pattern(names) };
  const specification = project.createSpecification(path.join(root, file), where);
  await vitest.runTestSpecifications([specification]);
  return {
    tests: ended.map((each) => outcome(each)),
    faults: faults.map(({ stack, message }) => stack ?? message),
  };
}

process.on('message', (selection) => {
  run(/** @type {Selection} */ (selection)).then(
    (told) => process.send?.(told),
    (error) => process.send?.({ tests: [], faults: [String(error.stack)] }),
  );
});
process.once('disconnect', () => process.exit());
