/** The arguments of one command, where the parser has found them. */

import { nameOf } from './names.ts';

/** Takes a bulk string that is too large to gather, piece by piece. Never throws: what goes wrong is told when the command runs. */
export interface BulkSink {
  /** Memory to read into in place of a copy, at most `limitBytes`; undefined where a copy it must be. */
  room(limitBytes: number): Uint8Array | undefined;
  /** So many bytes were read into `room`. */
  wrote(sizeBytes: number): void;
  write(chunk: Uint8Array): void;
  /** Why the bytes are dropped; undefined while all is well. */
  readonly error: Error | undefined;
  /** Gives back what it holds, unless the command has made use of it. Idempotent. */
  close(): void;
}

export class Arguments {
  /** Where the arguments lie; valid until the command has run. */
  buffer: Buffer = Buffer.alloc(0);
  count = 0;
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** The command came as a line of text. */
  isInline = false;
  readonly #sinks: (BulkSink | undefined)[] = [];
  #sinkCount = 0;

  get hasSinks(): boolean {
    return this.#sinkCount > 0;
  }

  add(start: number, end: number): void {
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.count++;
  }

  /** An argument whose bytes went elsewhere. */
  addSink(sink: BulkSink): void {
    this.#sinks[this.count] = sink;
    this.#sinkCount++;
    this.add(0, 0);
  }

  sink(index: number): BulkSink | undefined {
    return this.#sinkCount === 0 ? undefined : this.#sinks[index];
  }

  /** The bytes of an argument, in place. */
  bytes(index: number): Buffer {
    return this.buffer.subarray(this.starts[index], this.ends[index]);
  }

  /** The argument as the name of a context or part. */
  name(index: number): string {
    return nameOf(this.buffer, this.starts[index] as number, this.ends[index] as number);
  }

  /** The argument, one character for each byte. */
  latin1(index: number): string {
    return this.buffer.toString('latin1', this.starts[index], this.ends[index]);
  }

  text(index: number): string {
    return this.buffer.toString('utf8', this.starts[index], this.ends[index]);
  }

  /** True when the argument is this word, in either case. `word` is in lower case. */
  is(index: number, word: string): boolean {
    const start = this.starts[index] as number;
    if ((this.ends[index] as number) - start !== word.length) return false;
    for (let i = 0; i < word.length; i++) {
      if (((this.buffer[start + i] as number) | 0x20) !== word.charCodeAt(i)) return false;
    }
    return true;
  }

  /** Bytes of the arguments that were gathered. */
  get sizeBytes(): number {
    let sum = 0;
    for (let i = 0; i < this.count; i++)
      sum += (this.ends[i] as number) - (this.starts[i] as number);
    return sum;
  }

  /** For the next command. */
  clear(): void {
    if (this.#sinkCount > 0) {
      for (let i = 0; i < this.count; i++) this.#sinks[i]?.close();
      this.#sinks.length = 0;
      this.#sinkCount = 0;
    }
    // A command with very many arguments does not keep their places for ever.
    if (this.starts.length > keptPlaces) {
      this.starts.length = 0;
      this.ends.length = 0;
    }
    this.count = 0;
    this.isInline = false;
  }
}

const keptPlaces = 1024;
