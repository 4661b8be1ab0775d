/** Streams and a clock that tests read and set. */

import { EventEmitter } from 'node:events';
import type { Clock } from '../../../src/base/clock.ts';
import { palette } from '../../../src/cli/ansi.ts';
import type { Io, Keys, Output } from '../../../src/cli/io.ts';

export class TextOutput extends EventEmitter implements Output {
  text = '';
  readonly isTTY: boolean;
  columns: number;
  rows: number;

  constructor(options: { isTTY?: boolean; columns?: number; rows?: number } = {}) {
    super();
    this.isTTY = options.isTTY ?? false;
    this.columns = options.columns ?? 80;
    this.rows = options.rows ?? 24;
  }

  write(text: string): boolean {
    this.text += text;
    return true;
  }
}

export class TestKeys extends EventEmitter implements Keys {
  readonly isTTY = true;
  raw = false;

  setRawMode(raw: boolean): void {
    this.raw = raw;
  }

  resume(): void {}

  pause(): void {}

  press(key: string): void {
    this.emit('data', Buffer.from(key));
  }
}

export class TestClock implements Clock {
  #nowMs = 1_000_000;

  nowMs(): number {
    return this.#nowMs;
  }

  advance(durationMs: number): void {
    this.#nowMs += durationMs;
  }
}

export interface TestIo extends Io {
  readonly stdin: TestKeys;
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly clock: TestClock;
}

export function testIo(
  options: { isTTY?: boolean; columns?: number; rows?: number; env?: NodeJS.ProcessEnv } = {},
): TestIo {
  const env = options.env ?? {};
  const isTTY = options.isTTY ?? false;
  return {
    stdin: new TestKeys(),
    stdout: new TextOutput(options),
    stderr: new TextOutput(options),
    env,
    clock: new TestClock(),
    out: palette(isTTY, env),
    err: palette(isTTY, env),
  };
}
