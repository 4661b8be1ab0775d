/** The terminal of a live view: taken over on entering, given back on every way out. */

import type { Io } from '../io.ts';

const enter = '\x1b[?1049h\x1b[?25l\x1b[H';
const leave = '\x1b[?25h\x1b[?1049l';
/** Terminals that know it draw a frame between these at once; others ignore them. */
const frameStart = '\x1b[?2026h\x1b[H';
const frameEnd = '\x1b[J\x1b[?2026l';

const ctrlC = '\x03';
const escape = '\x1b';

export interface ScreenEvents {
  /** q, Escape or Ctrl-C. */
  readonly onQuit: () => void;
  /** Any other key. */
  readonly onKey: (key: string) => void;
  readonly onResize: () => void;
}

export class Screen {
  readonly #io: Io;
  readonly #events: ScreenEvents;
  #open = false;

  constructor(io: Io, events: ScreenEvents) {
    this.#io = io;
    this.#events = events;
  }

  get width(): number {
    return this.#io.stdout.columns ?? 80;
  }

  get height(): number {
    return this.#io.stdout.rows ?? 24;
  }

  open(): void {
    this.#open = true;
    this.#io.stdout.write(enter);
    this.#io.stdout.on('resize', this.#events.onResize);
    if (this.#io.stdin.isTTY === true) {
      this.#io.stdin.setRawMode?.(true);
      this.#io.stdin.on('data', this.#onData);
      this.#io.stdin.resume();
    }
    // Also when something throws past everyone: a terminal without cursor or echo is a poor place to read an error.
    process.on('exit', this.close);
  }

  draw(lines: readonly string[]): void {
    // A line as wide as the terminal would wrap if a newline followed: the cursor is moved instead.
    const body = lines.map((line) => `${line}\x1b[K`).join('\r\n');
    this.#io.stdout.write(`${frameStart}${body}${frameEnd}`);
  }

  readonly close = (): void => {
    if (!this.#open) return;
    this.#open = false;
    process.off('exit', this.close);
    this.#io.stdout.off('resize', this.#events.onResize);
    if (this.#io.stdin.isTTY === true) {
      this.#io.stdin.off('data', this.#onData);
      this.#io.stdin.setRawMode?.(false);
      this.#io.stdin.pause();
    }
    this.#io.stdout.write(leave);
  };

  readonly #onData = (chunk: Buffer): void => {
    const key = chunk.toString('utf8');
    if (key === 'q' || key === 'Q' || key === ctrlC || key === escape) this.#events.onQuit();
    else this.#events.onKey(key);
  };
}
