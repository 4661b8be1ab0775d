/** Programs of a Redis installation, where there is one. */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { hasCommand } from '../../../support/children.ts';

/** What to say when a test is skipped. */
export const toolsMissing = 'no redis-cli: apt-get install redis-tools';

export function hasTool(name: string): boolean {
  return hasCommand(name);
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const outputMaxBytes: number = 64 * 2 ** 20;
const timeoutMs = 50_000;

/** Runs a program to its end. */
export function runTool(
  name: string,
  args: readonly string[],
  input?: Uint8Array,
  env: NodeJS.ProcessEnv = {},
): Promise<Ran> {
  return new Promise((resolve) => {
    const options = {
      encoding: 'buffer' as const,
      maxBuffer: outputMaxBytes,
      timeout: timeoutMs,
      env: { ...process.env, ...env },
    };
    const child = execFile(name, args, options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr: stderr.toString() });
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '');
  });
}

/** Runs a program with lines typed into it. */
export async function typeInto(
  name: string,
  args: readonly string[],
  lines: readonly string[],
): Promise<string> {
  const child = spawn(name, args, { stdio: ['pipe', 'pipe', 'ignore'], timeout: timeoutMs });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stdin.end(`${lines.join('\n')}\n`);
  await once(child, 'close');
  return text;
}
