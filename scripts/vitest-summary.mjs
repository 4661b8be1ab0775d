/** Reporter of vitest that writes the counts of a run as JSON to the file named by CENOTE_TEST_SUMMARY. */

import { writeFileSync } from 'node:fs';

/** @typedef {{ passed: number, failed: number, skipped: { name: string, note: string | undefined }[] }} Counts */

export default class SummaryReporter {
  /**
   * @param {readonly import('vitest/node').TestModule[]} modules
   * @param {readonly unknown[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    /** @type {Counts} */
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const testModule of modules) {
      // A file that cannot be loaded, or a suite whose hook throws, has failed even if it holds no failed test.
      counts.failed += testModule.errors().length;
      for (const suite of testModule.children.allSuites()) counts.failed += suite.errors().length;
      for (const test of testModule.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') counts.passed += 1;
        else if (result.state === 'failed') counts.failed += 1;
        else
          counts.skipped.push({
            name: `${testModule.relativeModuleId}: ${test.fullName}`,
            note: noteOf(result),
          });
      }
    }
    const file = process.env['CENOTE_TEST_SUMMARY'];
    if (file !== undefined) writeFileSync(file, JSON.stringify(counts));
  }
}

/** What the test gave to `context.skip(note)`. @param {import('vitest/node').TestResult} result */
function noteOf(result) {
  return 'note' in result ? result.note : undefined;
}
