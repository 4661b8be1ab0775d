/** Chunks of bytes as lines of text. */

import { StringDecoder } from 'node:string_decoder';
import { fail } from '../../errors.ts';

/** What reads the bytes of a trace. */
export interface TraceReader {
  push(chunk: Buffer): void;
  /** The file has ended. */
  end(): void;
}

/** A line longer than this is no line of a trace. */
export const maxLineLength: number = 2 ** 24;

/** Hands on each line that is not blank, with its number from 1. */
export class LineReader implements TraceReader {
  readonly #onLine: (line: string, number: number) => void;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #number = 0;

  constructor(onLine: (line: string, number: number) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n');
    this.#rest = lines.pop() as string;
    for (const line of lines) this.#hand(line);
    if (this.#rest.length > maxLineLength)
      fail(
        'trace_malformed',
        `line ${this.#number + 1} is longer than ${maxLineLength} characters`,
      );
  }

  end(): void {
    this.#hand(this.#rest + this.#decoder.end());
    this.#rest = '';
  }

  #hand(line: string): void {
    this.#number += 1;
    const trimmed = line.trim();
    if (trimmed !== '') this.#onLine(trimmed, this.#number);
  }
}
