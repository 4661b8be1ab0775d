/**
 * Reads commands from the bytes of one connection, as they come.
 *
 * ```
 * *3\r\n  $3\r\nSET\r\n  $5\r\nchat-\r\n  $4194304\r\n ………… \r\n
 * │       │                              └─ large: goes to a sink, never gathered
 * │       └─ argument: its place is noted, nothing is copied
 * └─ number of arguments; anything but * begins an inline command
 * ```
 * A command that is whole in a chunk is read in place. What a chunk leaves unfinished is *held*: copied aside, and completed by exactly the
 * bytes that it lacks, so that the next command is read in place again.
 */

import { fail } from '../../errors.ts';
import { Arguments, type BulkSink } from './arguments.ts';
import { splitLine } from './inline.ts';
import type { RespLimits } from './limits.ts';

/** Decides where a large bulk goes: to a sink, or (undefined) to the other arguments. @throws what ends the connection */
export type SinkFor = (args: Arguments, index: number, sizeBytes: number) => BulkSink | undefined;

const cr = 13;
const lf = 10;
const star = 0x2a;
const dollar = 0x24;
const nothing: Buffer = Buffer.alloc(0);

/** A header: its sign, a number of at most ten digits, CRLF. */
const headerMaxBytes = 16;
/** Held bytes have room for at least so many. */
const heldMinBytes = 512;

const lacking = -1;

export class Parser {
  readonly args: Arguments = new Arguments();
  /** True when `args` are all there: they are to be used before `next`. */
  isComplete = false;
  readonly #limits: RespLimits;
  readonly #sinkFor: SinkFor;
  /** Where the parser reads: the chunk, or what is held. */
  #at = 0;
  /** Arguments that the command has; 0 before its first header. */
  #expected = 0;
  /** Bytes of the bulk that is being read; `lacking` between bulks. */
  #bulkBytes = lacking;
  #sink: BulkSink | undefined;
  /** Bytes that the sink still lacks. */
  #sinkLacks = 0;
  #held: Buffer = nothing;
  #heldBytes = 0;
  #isHolding = false;

  constructor(limits: RespLimits, sinkFor: SinkFor) {
    this.#limits = limits;
    this.#sinkFor = sinkFor;
  }

  /** True when a command has begun and is not complete. */
  get isWithin(): boolean {
    return this.#isHolding;
  }

  /** Bytes of the running command that are kept in memory. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /**
   * Reads from bytes [from, to) of `chunk` until a command is complete, or all are read.
   * @returns where it stopped; `isComplete` tells why
   * @throws invalid_argument, value_too_large and what `sinkFor` throws: the connection cannot go on
   */
  read(chunk: Buffer, from: number, to: number): number {
    if (!this.#isHolding) {
      this.#at = from;
      this.args.buffer = chunk;
      this.#step(chunk, to);
      if (this.isComplete || (this.#at === to && this.#expected === 0)) return this.#at;
      return this.#sink === undefined
        ? this.#hold(chunk, from, to)
        : this.#holdToSink(chunk, from, to);
    }
    let at = from;
    while (at < to && !this.isComplete) {
      at = this.#sinkLacks > 0 ? this.#fillSink(chunk, at, to) : this.#complete(chunk, at, to);
      // What was held was nothing, such as an empty line.
      if (!this.#isHolding && at < to) return this.read(chunk, at, to);
    }
    return at;
  }

  /** Memory to read the next bytes into directly; undefined where they are to be read elsewhere, and given to `read`. */
  directRoom(limitBytes: number): Uint8Array | undefined {
    // For a short rest one more read would cost more than a copy.
    if (this.#sinkLacks < this.#limits.directBytes) return undefined;
    const room = this.#sink?.room(Math.min(limitBytes, this.#sinkLacks));
    return room === undefined || room.length === 0 ? undefined : room;
  }

  /** So many bytes were read into `directRoom`. */
  readDirectly(sizeBytes: number): void {
    this.#sink?.wrote(sizeBytes);
    this.#sinkLacks -= sizeBytes;
  }

  /** The command has run: what comes is another. */
  next(): void {
    this.args.clear();
    this.#expected = 0;
    this.isComplete = false;
    this.#release();
  }

  /** Gives back what an unfinished command holds. */
  close(): void {
    this.args.clear();
    this.#release();
    this.#sink = undefined;
    this.#sinkLacks = 0;
  }

  #release(): void {
    this.#isHolding = false;
    this.#held = nothing;
    this.#heldBytes = 0;
  }

  /** Keeps what there is of a command. */
  #hold(chunk: Buffer, from: number, to: number): number {
    this.#isHolding = true;
    const { args } = this;
    const sizeBytes = to - from;
    this.#reserve(sizeBytes);
    chunk.copy(this.#held, 0, from, to);
    this.#heldBytes = sizeBytes;
    this.#at -= from;
    for (let i = 0; i < args.count; i++) {
      args.starts[i] = (args.starts[i] as number) - from;
      args.ends[i] = (args.ends[i] as number) - from;
    }
    args.buffer = this.#held;
    return to;
  }

  /** Likewise, where a large bulk has begun: it is read from the chunk, behind what is held. */
  #holdToSink(chunk: Buffer, from: number, to: number): number {
    const at = this.#at;
    this.#hold(chunk, from, at);
    return at < to ? this.read(chunk, at, to) : to;
  }

  /** Gives the sink what it lacks. The CRLF behind it is read like any other bytes. */
  #fillSink(chunk: Buffer, at: number, to: number): number {
    const taken = Math.min(this.#sinkLacks, to - at);
    this.#sink?.write(chunk.subarray(at, at + taken));
    this.#sinkLacks -= taken;
    return at + taken;
  }

  /** Adds to what is held as much as the next step lacks, and makes it. */
  #complete(chunk: Buffer, at: number, to: number): number {
    const taken = Math.min(this.#lacks(chunk, at, to), to - at);
    const sizeBytes = this.#heldBytes + taken;
    this.#reserve(sizeBytes);
    chunk.copy(this.#held, this.#heldBytes, at, at + taken);
    this.#heldBytes = sizeBytes;
    this.args.buffer = this.#held;
    this.#step(this.#held, sizeBytes);
    if (!this.isComplete && this.#expected === 0 && this.#at === sizeBytes) this.#release();
    return at + taken;
  }

  /** Bytes until the end of the bulk or line that is being read. */
  #lacks(chunk: Buffer, at: number, to: number): number {
    if (this.#sink !== undefined) return 2 - (this.#heldBytes - this.#at);
    if (this.#bulkBytes !== lacking) return this.#at + this.#bulkBytes + 2 - this.#heldBytes;
    const end = chunk.subarray(at, to).indexOf(lf);
    return end < 0 ? to - at : end + 1;
  }

  /** Grows as bytes come, not as they are announced. @throws value_too_large */
  #reserve(sizeBytes: number): void {
    const { maxCommandBytes } = this.#limits;
    if (sizeBytes > maxCommandBytes) {
      fail('value_too_large', `Protocol error: a command of more than ${maxCommandBytes} bytes`);
    }
    if (sizeBytes <= this.#held.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(heldMinBytes, sizeBytes, 2 * this.#held.length));
    this.#held.copy(grown, 0, 0, this.#heldBytes);
    this.#held = grown;
  }

  /** Reads on in `buffer` up to `end`, until the command is complete, or something lacks, or a sink is to be filled. */
  #step(buffer: Buffer, end: number): void {
    while (this.#expected === 0) if (!this.#begin(buffer, end)) return;
    while (this.#sink !== undefined || this.args.count < this.#expected) {
      if (this.#sink !== undefined) {
        if (!this.#endSink(buffer, end)) return;
      } else if (this.#bulkBytes !== lacking) {
        if (!this.#endBulk(buffer, end)) return;
      } else if (!this.#beginBulk(buffer, end)) {
        return;
      }
    }
    this.isComplete = true;
  }

  /** The first header of a command. @returns false when it lacks bytes */
  #begin(buffer: Buffer, end: number): boolean {
    if (this.#at >= end) return false;
    if (buffer[this.#at] !== star) return this.#inline(buffer, end);
    const count = this.#number(buffer, end, 'multibulk');
    if (count === lacking) return false;
    const { maxArguments } = this.#limits;
    if (count > maxArguments) {
      fail(
        'value_too_large',
        `Protocol error: invalid multibulk length ${count}, above ${maxArguments}`,
      );
    }
    this.#expected = Math.max(0, count);
    return true;
  }

  #beginBulk(buffer: Buffer, end: number): boolean {
    if (this.#at >= end) return false;
    const sign = buffer[this.#at] as number;
    if (sign !== dollar) {
      fail(
        'invalid_argument',
        `Protocol error: expected '$', got ${JSON.stringify(String.fromCharCode(sign))}`,
      );
    }
    const sizeBytes = this.#number(buffer, end, 'bulk');
    if (sizeBytes === lacking) return false;
    const { maxBulkBytes, directBytes } = this.#limits;
    if (sizeBytes < 0) fail('invalid_argument', 'Protocol error: invalid bulk length');
    if (sizeBytes > maxBulkBytes) {
      fail(
        'value_too_large',
        `Protocol error: invalid bulk length ${sizeBytes}, above ${maxBulkBytes}`,
      );
    }
    if (sizeBytes >= directBytes) {
      this.#sink = this.#sinkFor(this.args, this.args.count, sizeBytes);
      if (this.#sink !== undefined) {
        this.#sinkLacks = sizeBytes;
        this.args.addSink(this.#sink);
        return false;
      }
    }
    this.#bulkBytes = sizeBytes;
    return true;
  }

  #endBulk(buffer: Buffer, end: number): boolean {
    const bulkEnd = this.#at + this.#bulkBytes;
    if (bulkEnd + 2 > end) return false;
    this.args.add(this.#at, bulkEnd);
    this.#crlf(buffer, bulkEnd);
    this.#bulkBytes = lacking;
    return true;
  }

  #endSink(buffer: Buffer, end: number): boolean {
    if (this.#sinkLacks > 0 || this.#at + 2 > end) return false;
    this.#crlf(buffer, this.#at);
    this.#sink = undefined;
    return true;
  }

  #crlf(buffer: Buffer, at: number): void {
    if (buffer[at] !== cr || buffer[at + 1] !== lf) {
      fail('invalid_argument', 'Protocol error: a bulk does not end with CRLF');
    }
    this.#at = at + 2;
  }

  /** The number of a header. -1 stands for nothing to come, which is `lacking` for a bulk and none for a multibulk. */
  #number(buffer: Buffer, end: number, what: string): number {
    let at = this.#at + 1;
    const isNegative = buffer[at] === 0x2d && at < end;
    if (isNegative) at++;
    const first = at;
    let value = 0;
    for (; at < end; at++) {
      const digit = (buffer[at] as number) - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (at - this.#at > headerMaxBytes) invalidLength(what);
    if (at >= end) return lacking;
    if (buffer[at] !== cr || at === first) invalidLength(what);
    if (at + 1 >= end) return lacking;
    if (buffer[at + 1] !== lf) invalidLength(what);
    if (isNegative && what === 'bulk') invalidLength(what);
    this.#at = at + 2;
    return isNegative ? 0 : value;
  }

  /** A command as a line of text. @returns false when it lacks bytes */
  #inline(buffer: Buffer, end: number): boolean {
    const { maxInlineBytes, maxArguments } = this.#limits;
    const from = this.#at;
    const length = buffer.subarray(from, end).indexOf(lf);
    if ((length < 0 ? end - from : length) > maxInlineBytes) {
      fail(
        'value_too_large',
        `Protocol error: too big inline request, above ${maxInlineBytes} bytes`,
      );
    }
    if (length < 0) return false;
    const words = splitLine(buffer.subarray(from, from + length));
    if (words.length > maxArguments) {
      fail('value_too_large', `Protocol error: ${words.length} words, above ${maxArguments}`);
    }
    this.#at = from + length + 1;
    if (words.length === 0) return true;
    const { args } = this;
    args.buffer = Buffer.concat(words);
    let at = 0;
    for (const word of words) {
      args.add(at, at + word.length);
      at += word.length;
    }
    args.isInline = true;
    this.#expected = words.length;
    return true;
  }
}

function invalidLength(what: string): never {
  fail('invalid_argument', `Protocol error: invalid ${what} length`);
}
