/** Set-up of each test file: tells scripts/vitest-watch.mjs which file and test this process runs. */

import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect } from 'vitest';
import { tellEqualBytes } from './equal-bytes.ts';

const file = join(tmpdir(), 'watched', String(process.pid));

function say(test: string): void {
  writeFileSync(file, `${expect.getState().testPath}\n${test}`);
}

tellEqualBytes();
say('before its first test');
beforeEach(() => say(expect.getState().currentTestName ?? ''));
