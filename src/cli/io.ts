/** What a command sees of the world: streams, environment, clock. Tests give their own. */

import { systemClock, type Clock } from '../base/clock.ts';
import { palette, type Palette } from './ansi.ts';

/** The part of a writable stream that the commands use. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
}

/** The part of standard input that commands use: keys in raw mode, otherwise what arrives. */
export interface Keys {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  resume(): unknown;
  pause(): unknown;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  off(event: 'data', listener: (chunk: Buffer) => void): unknown;
  off(event: 'end', listener: () => void): unknown;
}

export interface Io {
  readonly stdin: Keys;
  /** Data: what a script would read. */
  readonly stdout: Output;
  /** Messages and progress. */
  readonly stderr: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  /** Colours for stdout and for stderr: either may be a file while the other is a terminal. */
  readonly out: Palette;
  readonly err: Palette;
}

/** The io of this process; call it once. */
export function processIo(): Io {
  outliveReaders();
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    clock: systemClock,
    out: palette(process.stdout.isTTY, process.env),
    err: palette(process.stderr.isTTY, process.env),
  };
}

/**
 * `cenote … | head`: a reader that has gone is no error, and nothing is left to say. Data that cannot be written otherwise
 * is an error; messages that cannot be are nobody's loss, and no reason to stop a server.
 */
function outliveReaders(): void {
  process.stderr.on('error', () => {});
  process.stdout.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    process.stderr.write(`error[io_failed]: could not write to stdout: ${error.message}\n`);
    process.exit(1);
  });
}

export function printLine(output: Output, line: string): void {
  output.write(`${line}\n`);
}

export function printJson(output: Output, value: unknown): void {
  output.write(`${JSON.stringify(value, undefined, 2)}\n`);
}
