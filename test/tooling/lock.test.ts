import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runToEnd } from '../support/children.ts';

/** The lock file serves every platform and every registry. */

test('every optional dependency has an entry, so that npm ci takes the lock', () => {
  const args = ['scripts/complete-lock.mjs', '--check'];
  const { status, stderr } = runToEnd(process.execPath, args);
  expect(status, stderr).toBe(0);
});

test('no entry names the host it came from', () => {
  expect(readFileSync('package-lock.json', 'utf8')).not.toMatch(/"resolved": "[^"]*:/);
});
