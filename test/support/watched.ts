/** Set-up of each test file: tells scripts/vitest-watch.mjs which file and test this process runs. */

import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect } from 'vitest';
import { tellEqualBytes } from './equal-bytes.ts';

const file = join(tmpdir(), 'watched', String(process.pid));

function say(): void {
  const { testPath, currentTestName } = expect.getState();
  writeFileSync(file, `${testPath}\n${currentTestName ?? 'before its first test'}`);
}

tellEqualBytes();
say();
beforeEach(say);
