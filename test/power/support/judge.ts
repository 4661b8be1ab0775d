/** A process that opens what an outage has left and says what it finds. It may die of it, which is an answer too. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { Image } from './disk.ts';
import { writeImage } from './disk.ts';
import { type Outage, recorder } from './recorded.ts';

export class Judge {
  readonly #program: URL;
  readonly #scratch = mkdtempSync(join(tmpdir(), 'cenote-judge-'));
  #child: ChildProcess | undefined;
  #images = 0;

  /** @param program answers the name of a folder with a text */
  constructor(program: URL) {
    this.#program = program;
    // The machine has been down: the kernel has another boot id.
    writeFileSync(join(this.#scratch, 'boot'), '00000000-0000-4000-8000-000000000001\n');
  }

  async ask(image: Image): Promise<string> {
    const folder = join(this.#scratch, `image-${this.#images++}`);
    writeImage(image, folder);
    try {
      return await this.#answer(folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async #answer(folder: string): Promise<string> {
    const child = (this.#child ??= this.#start());
    child.send(folder);
    const answer = await new Promise<string>((resolve) => {
      child.once('message', (text: string) => resolve(text));
      child.once('exit', (code, signal) => {
        this.#child = undefined;
        resolve(`died of ${signal ?? code}`);
      });
    });
    child.removeAllListeners();
    return answer;
  }

  #start(): ChildProcess {
    const { NODE_OPTIONS: _, ...env } = process.env;
    const child = fork(fileURLToPath(this.#program), [], {
      execArgv: [],
      env: { ...env, LD_PRELOAD: recorder(), CENOTE_BOOT_ID: join(this.#scratch, 'boot') },
    });
    // What it was given may have no end.
    onTestFinished(() => void child.kill('SIGKILL'));
    return child;
  }

  async end(): Promise<void> {
    if (this.#child !== undefined && this.#child.exitCode === null) {
      const gone = once(this.#child, 'exit');
      this.#child.disconnect();
      await gone;
    }
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}

/** Has what each outage leaves judged by a process of that program. @returns what is wrong, and after which outage */
export async function faultsAfter(
  program: URL,
  outages: Iterable<Outage>,
  faultOf: (outage: Outage, judge: Judge) => Promise<string | undefined>,
): Promise<string[]> {
  const judge = new Judge(program);
  const found: string[] = [];
  for (const outage of outages) {
    const fault = await faultOf(outage, judge);
    if (fault !== undefined) found.push(`${outage.name}: ${fault}`);
  }
  await judge.end();
  return found;
}
