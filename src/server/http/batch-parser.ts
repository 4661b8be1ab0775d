/**
 * Parts one after the other in one body: for each a line of JSON, `sizeBytes` among its fields, and
 * then exactly so many bytes.
 *
 * ```
 * {"id":"chat-42","part":"text","sizeBytes":5}\n
 * hello{"id":"chat-42","part":"tokens","sizeBytes":8,"type":"u32"}\n
 * ........
 * ```
 */

import { fail } from '../../errors.ts';

export const batchType = 'application/vnd.cenote.batch';

/** Longest line: 128 tags of 512 bytes and two names, with escapes. */
export const batchLineMaxBytes: number = 256 * 1024;

const newline = 0x0a;

/** Takes the bytes of one part. */
export interface BatchSink {
  write(chunk: Buffer): void;
  /** All bytes were written. */
  finish(): void;
}

export class BatchParser {
  readonly #open: (line: unknown) => { readonly sizeBytes: number; readonly sink: BatchSink };
  /** Pieces of the line so far: put together once, however small they are. */
  #line: Buffer[] = [];
  #lineBytes = 0;
  /** Where the bytes of a part go while they arrive. */
  #sink: BatchSink | undefined;
  #missingBytes = 0;

  /** @param open is given each line, as JSON, and says where its bytes go */
  constructor(open: (line: unknown) => { readonly sizeBytes: number; readonly sink: BatchSink }) {
    this.#open = open;
  }

  /** @throws invalid_argument, and what `open` and the sinks throw */
  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      rest = this.#sink === undefined ? this.#takeLine(rest) : this.#takeBytes(rest);
    }
  }

  /** @throws invalid_argument when a line or a part is not complete */
  finish(): void {
    if (this.#sink !== undefined) {
      fail('invalid_argument', `The last part lacks ${this.#missingBytes} bytes.`);
    }
    if (this.#lineBytes > 0) fail('invalid_argument', 'The last line has no end.');
  }

  #takeLine(rest: Buffer): Buffer {
    const end = rest.indexOf(newline);
    const more = end < 0 ? rest : rest.subarray(0, end);
    this.#lineBytes += more.length;
    if (this.#lineBytes > batchLineMaxBytes) {
      fail('invalid_argument', `A line is longer than ${batchLineMaxBytes} bytes.`);
    }
    this.#line.push(more);
    if (end < 0) return rest.subarray(rest.length);
    const line = Buffer.concat(this.#line);
    this.#line = [];
    this.#lineBytes = 0;
    const { sizeBytes, sink } = this.#open(parseLine(line));
    this.#sink = sink;
    this.#missingBytes = sizeBytes;
    this.#endIfComplete();
    return rest.subarray(end + 1);
  }

  #takeBytes(rest: Buffer): Buffer {
    const bytes = rest.subarray(0, this.#missingBytes);
    this.#sink?.write(bytes);
    this.#missingBytes -= bytes.length;
    this.#endIfComplete();
    return rest.subarray(bytes.length);
  }

  #endIfComplete(): void {
    if (this.#missingBytes > 0) return;
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.finish();
  }
}

function parseLine(line: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line));
  } catch {
    return fail('invalid_argument', `A line of ${line.length} bytes is not JSON in UTF-8.`);
  }
}
