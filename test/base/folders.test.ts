import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeFolder } from '../../src/base/folders.ts';

let scratch = '';

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'cenote-folders-'));
});

afterEach(() => rmSync(scratch, { recursive: true }));

test('makes what is missing, with the mode, and leaves what is there', () => {
  const path = join(scratch, 'a', 'b');
  makeFolder(path, 0o700);
  makeFolder(path, 0o755);
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

test('a file in the way is an error', () => {
  const path = join(scratch, 'file');
  writeFileSync(path, '');
  expect(() => makeFolder(path, 0o700)).toThrow(/EEXIST/);
  expect(() => makeFolder(join(path, 'below'), 0o700)).toThrow(/ENOTDIR/);
});

test.skipIf(process.platform !== 'linux')(
  'a place where no folder can be made is an error, not a loop',
  () => {
    expect(() => makeFolder('/proc/cenote', 0o700)).toThrow(/ENOENT/);
    expect(() => makeFolder('/proc/cenote/below', 0o700)).toThrow(/ENOENT/);
  },
);
