import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hasCommand, runToEnd } from '../support/children.ts';

/** What `npm start` runs, from set-up to the end of the server. */

let folder: string;
let server: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'cenote-start-'));
});

afterEach(async () => {
  if (server !== undefined && server.exitCode === null && server.signalCode === null) {
    server.kill('SIGKILL');
    await once(server, 'exit');
  }
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a server and resolves with the curl command that it prints. */
async function start(): Promise<{ child: ChildProcess; curl: string }> {
  const args = ['scripts/start.mjs', '--http', '0', '--data', path.join(folder, 'data')];
  const env = { ...process.env };
  delete env['CENOTE_API_KEY'];
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  server = child;
  let printed = '';
  const curl = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      printed += chunk.toString();
      const line = /^[ \t]*(curl .*)\n/m.exec(printed);
      if (line !== null) resolve(line[1] ?? '');
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${printed}`)));
  });
  return { child, curl };
}

test('npm start serves, its curl line works when pasted, and SIGTERM ends it in order', async (context) => {
  if (!hasCommand('curl')) {
    context.skip('no curl: provide it with `sudo apt-get install curl`');
  }
  const { child, curl } = await start();
  const pasted = runToEnd('sh', ['-c', curl]);
  expect(pasted.status, `${curl}\n${pasted.stderr}`).toBe(0);
  expect(pasted.stdout).not.toContain('unauthorized');

  const origin = /http:\/\/[\w.:[\]]+/.exec(curl)?.[0];
  const response = await fetch(`${origin}/v1/contexts`);
  expect(response.status).toBe(401);

  child.kill('SIGTERM');
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  expect({ code, signal }).toEqual({ code: 0, signal: null });
});
