/** The command line as a process, as users have it. */

import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export const program: string = fileURLToPath(new URL('../../../bin/cenote.js', import.meta.url));

/** The environment of the tests without what would change a command's behaviour. */
function cleanEnv(extra: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const name of Object.keys(env)) {
    if (name.startsWith('CENOTE_') || name === 'FORCE_COLOR' || name === 'NO_COLOR')
      delete env[name];
  }
  // Tests run side by side: none may need a port of its own. A model is started by those that are about it.
  return { ...env, CENOTE_RESP: '0', CENOTE_MODEL: 'off', CENOTE_EMBEDDINGS: 'off', ...extra };
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

function start(command: string, words: readonly string[], env: NodeJS.ProcessEnv): Child {
  return spawn(command, words, { env: cleanEnv(env), stdio: ['ignore', 'pipe', 'pipe'] });
}

async function outcomeOf(child: Child): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** Runs a Node program to its end. */
export function runNode(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return outcomeOf(start(process.execPath, words, env));
}

/** Runs `cenote …` to its end. */
export function cenote(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return runNode([program, ...words], env);
}

/** Runs a line in a real shell, as if it had been pasted. */
export function shell(line: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return outcomeOf(start('/bin/sh', ['-c', line], env));
}

/** A `cenote serve` that listens. */
export class Serving {
  readonly child: Child;
  readonly ended: Promise<Outcome>;
  #stdout = '';
  #stderr = '';

  private constructor(words: readonly string[], env: NodeJS.ProcessEnv, from: string) {
    this.child = start(process.execPath, [from, 'serve', ...words], env);
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.ended = once(this.child, 'close').then(([code]) => ({
      code: code as number | null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
  }

  /** Resolves when the banner is complete. @throws with all output when the server ends before */
  static async start(
    words: readonly string[],
    env: NodeJS.ProcessEnv = {},
    from: string = program,
  ): Promise<Serving> {
    const serving = new Serving(words, env, from);
    const lines = createInterface({ input: serving.child.stdout });
    const isLast = (line: string): boolean => line.startsWith('{') || line.includes('Ctrl-C stops');
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        serving.#stdout += `${line}\n`;
        if (isLast(line)) resolve();
      });
      void serving.ended.then((outcome) =>
        reject(new Error(`the server ended: ${JSON.stringify(outcome)}`)),
      );
    });
    return serving;
  }

  get banner(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get url(): string {
    return /http:\/\/[^\s"/]+/.exec(this.#stdout)?.[0] as string;
  }

  /** The key that the first start shows. */
  get key(): string {
    return /cn_[\w-]+/.exec(this.#stdout)?.[0] as string;
  }

  get curlLines(): string[] {
    return this.#stdout.split('\n').filter((line) => line.startsWith('curl '));
  }

  get respUrl(): string {
    return /resp:\/\/[^\s"/]+/.exec(this.#stdout)?.[0] as string;
  }

  get redisLine(): string | undefined {
    return this.#stdout.split('\n').find((line) => line.includes('redis-cli '));
  }

  /** Sends the signal and waits for the end. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Outcome> {
    this.child.kill(signal);
    return this.ended;
  }

  async request(
    method: string,
    path: string,
    body?: Body,
    key: string = this.key,
  ): Promise<Response> {
    const headers = { Authorization: `Bearer ${key}` };
    const init: RequestInit = { method, headers };
    if (body !== undefined) init.body = typeof body === 'string' ? body : Buffer.from(body.buffer);
    return fetch(`${this.url}${path}`, init);
  }
}

type Body = Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | string;

/** A folder that is removed at the end of the test: `using folder = new Scratch()`. */
export class Scratch {
  readonly path: string = mkdtempSync(join(tmpdir(), 'cenote-cli-'));

  join(...names: string[]): string {
    return join(this.path, ...names);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
