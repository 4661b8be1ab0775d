/** A file of tests that hangs does not hold up the run. */

import { execFile } from 'node:child_process';
import { expect, it } from 'vitest';

const config = 'test/tooling/fixtures/hanging/vitest.config.ts';
const args = ['node_modules/vitest/vitest.mjs', 'run', '--root', '.', '--config', config];

it('is ended and named, and the others run', async () => {
  const env = { ...process.env, NO_COLOR: '1', CENOTE_FILE_LIMIT_MS: '1000' };
  const [status, output] = await new Promise<[unknown, string]>((resolve) => {
    execFile(process.execPath, args, { env }, (error, stdout, stderr) =>
      resolve([error?.code ?? 0, stdout + stderr]),
    );
  });
  expect(output).toMatch(/running for \d+ s: \S+loops\.hang\.ts: loops\nbeyond its limit/);
  expect(output).toMatch(/ {2}\(anonymous\) \S+loops\.hang\.ts:\d+\n/);
  expect(output).toContain('Test Files  1 passed (2)');
  expect(output).toContain('Worker exited unexpectedly');
  expect(status).toBe(1);
});
