/**
 * What a connection is sent. Small replies are gathered in one buffer, which all connections share: between two of them it is always empty. Large
 * values are sent from where they lie. All that the commands of one chunk are answered goes out in one write.
 *
 * ```
 * $5\r\nhello\r\n:1\r\n$4194304\r\n │ 4 MiB of pool memory │ \r\n+OK\r\n
 *        gathered                      lease                gathered
 * ```
 * A lease ends when the socket has taken its bytes, or is closed.
 */

import type { Socket } from 'node:net';

import type { Lease } from '../../pool/api.ts';

/** Something that is held until its bytes are sent. */
export interface Held {
  release(): void;
}

/** Written to a socket, and not taken yet. */
interface Batch {
  /** The number of the write. */
  readonly write: number;
  readonly held: readonly Held[];
  /** Of its bytes those that lie elsewhere. */
  readonly placedBytes: number;
}

/** The buffer that replies are gathered in. A write that has to wait takes it along, and there is a new one. */
export class Gathering {
  bytes: Buffer;
  readonly #sizeBytes: number;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.bytes = Buffer.allocUnsafeSlow(sizeBytes);
  }

  renew(): void {
    this.bytes = Buffer.allocUnsafeSlow(this.#sizeBytes);
  }
}

const crlf = 0x0a0d;
const zero = 48;
/** Room for a header or an integer: sign, 16 digits, CRLF. */
const headerMaxBytes = 24;
const errorMaxLength = 400;
const shortMaxLength = 16;
/** Up to here a copy costs less than a new gathering buffer would, and keeps less memory while it waits. */
const copiedMaxBytes = 4096;
/** A write with this much that lies elsewhere goes out before the chunk is through. */
const placedMaxBytes: number = 2 ** 20;

export class Output {
  /** 2, or 3 once the client has said so. */
  protocol: 2 | 3 = 2;
  readonly #socket: Socket;
  readonly #gathering: Gathering;
  readonly #onTaken: () => void;
  /** Bytes gathered, and from where they are not in #pieces yet. */
  #at = 0;
  #from = 0;
  readonly #pieces: Uint8Array[] = [];
  #held: Held[] = [];
  readonly #waiting: Batch[] = [];
  /** Bytes of this write that lie elsewhere. */
  #placedBytes = 0;
  /** Likewise of the writes that wait. */
  #placedWaitingBytes = 0;
  /** The write has pieces of the gathering buffer itself. */
  #isGatheringLent = false;
  #writes = 0;
  #taken = 0;

  /** @param onTaken is told when the socket has taken a write that had to wait */
  constructor(socket: Socket, gathering: Gathering, onTaken: () => void) {
    this.#socket = socket;
    this.#gathering = gathering;
    this.#onTaken = onTaken;
  }

  /** Bytes that the socket has not taken yet. */
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  /** Likewise of those that are memory of the server: the others lie in a pool. */
  get copiedBytes(): number {
    return Math.max(0, this.#socket.writableLength - this.#placedWaitingBytes);
  }

  simple(text: string): void {
    this.#raw(`+${text}\r\n`);
  }

  /** The code stands behind the message: the first word is what clients look at. */
  error(word: string, message: string, code: string): void {
    // A reply ends with its line.
    const line = message.slice(0, errorMaxLength).replace(/[\r\n\0]+/g, ' ');
    this.#raw(`-${word} ${line} (${code})\r\n`);
  }

  integer(value: number): void {
    this.#header(58, value);
  }

  array(length: number): void {
    this.#header(42, length);
  }

  /** Names and values in turn: a map where the client knows maps. */
  map(length: number): void {
    if (this.protocol === 3) this.#header(37, length);
    else this.#header(42, 2 * length);
  }

  none(): void {
    this.#raw(this.protocol === 3 ? '_\r\n' : '$-1\r\n');
  }

  text(text: string): void {
    this.bulk(Buffer.from(text));
  }

  /** Copies the bytes. */
  bulk(bytes: Uint8Array): void {
    this.#header(36, bytes.length);
    if (bytes.length + 2 > this.#gathering.bytes.length) {
      this.#piece(Uint8Array.prototype.slice.call(bytes));
    } else {
      this.#ensure(bytes.length + 2);
      this.#gathering.bytes.set(bytes, this.#at);
      this.#at += bytes.length;
    }
    this.#end();
  }

  /** Sends bytes from where they lie. `held` is released when they are sent. */
  bulkInPlace(bytes: Uint8Array, held: Held): void {
    this.#header(36, bytes.length);
    this.#held.push(held);
    this.#piece(bytes);
    this.#end();
    this.#placedBytes += bytes.length;
    // So that what waits is known before more is added to it.
    if (this.#placedBytes >= placedMaxBytes) this.flush();
  }

  /**
   * Takes what was gathered out of the buffer that all share. @returns true when it is little, copied, and may be written later
   */
  park(): boolean {
    this.#cut();
    return !this.#isGatheringLent && this.#placedBytes === 0;
  }

  /** Writes what there is to the socket. */
  flush(): void {
    this.#cut();
    const pieces = this.#pieces;
    if (pieces.length === 0) return;
    const socket = this.#socket;
    const write = ++this.#writes;
    if (pieces.length === 1) {
      socket.write(pieces[0] as Uint8Array, this.#onWritten);
    } else {
      socket.cork();
      const last = pieces.length - 1;
      for (let i = 0; i < last; i++) socket.write(pieces[i] as Uint8Array);
      socket.write(pieces[last] as Uint8Array, this.#onWritten);
      socket.uncork();
    }
    const held = this.#held;
    if (socket.writableLength > 0 && !socket.destroyed) {
      const placedBytes = this.#placedBytes;
      this.#waiting.push({ write, held, placedBytes });
      this.#placedWaitingBytes += placedBytes;
      if (this.#isGatheringLent) this.#gathering.renew();
    } else {
      release(held);
    }
    this.#isGatheringLent = false;
    if (held.length > 0) this.#held = [];
    this.#placedBytes = 0;
    pieces.length = 0;
    this.#at = 0;
    this.#from = 0;
  }

  /** The socket is closed: nothing reads what is held any more. */
  close(): void {
    for (const { held } of this.#waiting) release(held);
    this.#waiting.length = 0;
    release(this.#held);
    this.#held = [];
    this.#pieces.length = 0;
    this.#at = 0;
    this.#from = 0;
  }

  /** Writes end in their order, those that did not have to wait too. */
  readonly #onWritten = (): void => {
    this.#taken++;
    if (this.#waiting.length === 0) return;
    while ((this.#waiting[0]?.write ?? Infinity) <= this.#taken) {
      const { held, placedBytes } = this.#waiting.shift() as Batch;
      this.#placedWaitingBytes -= placedBytes;
      release(held);
    }
    this.#onTaken();
  };

  #raw(text: string): void {
    // Three bytes is the most that a unit of UTF-16 takes.
    this.#ensure(3 * text.length);
    this.#at = this.#isShortAscii(text) ? this.#at + text.length : this.#writeUtf8(text);
  }

  /** Writes a text such as `+OK` by itself, which is quicker than a call. @returns false when it is another */
  #isShortAscii(text: string): boolean {
    if (text.length > shortMaxLength) return false;
    const { bytes } = this.#gathering;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[this.#at + i] = code;
    }
    return true;
  }

  #writeUtf8(text: string): number {
    return this.#at + this.#gathering.bytes.write(text, this.#at);
  }

  #header(sign: number, value: number): void {
    this.#ensure(headerMaxBytes);
    const { bytes } = this.#gathering;
    let at = this.#at;
    bytes[at++] = sign;
    if (value >= 0 && value < 10) {
      bytes[at++] = zero + value;
    } else if (value > 0 && value < 0x4000_0000) {
      at = digits(bytes, at, value);
    } else {
      at += bytes.write(String(value), at, 'latin1');
    }
    this.#at = at;
    this.#end();
  }

  #end(): void {
    this.#ensure(2);
    this.#at = this.#gathering.bytes.writeUInt16LE(crlf, this.#at);
  }

  #ensure(sizeBytes: number): void {
    if (this.#at + sizeBytes > this.#gathering.bytes.length) this.flush();
  }

  #piece(bytes: Uint8Array): void {
    this.#cut();
    if (bytes.length > 0) this.#pieces.push(bytes);
  }

  #cut(): void {
    if (this.#at === this.#from) return;
    const piece = this.#gathering.bytes.subarray(this.#from, this.#at);
    const isShort = piece.length <= copiedMaxBytes;
    this.#pieces.push(isShort ? Buffer.from(piece) : piece);
    if (!isShort) this.#isGatheringLent = true;
    this.#from = this.#at;
  }
}

/** Decimal digits of an integer from 10 to 2^30. @returns where they end */
function digits(bytes: Buffer, from: number, value: number): number {
  let count = 0;
  for (let rest = value; rest > 0; rest = (rest / 10) | 0) count++;
  let rest = value;
  for (let at = from + count - 1; at >= from; at--) {
    bytes[at] = zero + (rest % 10);
    rest = (rest / 10) | 0;
  }
  return from + count;
}

function release(held: readonly Held[]): void {
  for (let i = 0; i < held.length; i++) (held[i] as Held).release();
}

/** The bytes of a lease, whatever its element type. */
export function bytesOfLease({ data }: Lease): Uint8Array {
  if (data instanceof Uint8Array) return data;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
