/** A RESP client that sends what it is told, and reads replies strictly. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { onTestFinished } from 'vitest';

/** An error reply. */
export class ErrorReply {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  get word(): string {
    return this.text.split(' ')[0] as string;
  }

  /** The code that stands behind the message. */
  get code(): string {
    return /\((\w+)\)$/.exec(this.text)?.[1] ?? 'none';
  }
}

/** Bulk strings are Buffers, simple strings are strings, null is null. */
export type Reply =
  | string
  | number
  | Buffer
  | null
  | ErrorReply
  | readonly Reply[]
  | Map<string, Reply>;

/** One reply at the start of `bytes`, and what follows; undefined: more is needed. @throws when it is no reply */
export function readReply(bytes: Buffer, from = 0): { reply: Reply; end: number } | undefined {
  const lineEnd = bytes.indexOf('\r\n', from);
  if (lineEnd < 0) return undefined;
  const line = bytes.toString('utf8', from + 1, lineEnd);
  const end = lineEnd + 2;
  const sign = String.fromCharCode(bytes[from] as number);
  if (sign === '+') return { reply: line, end };
  if (sign === '-') return { reply: new ErrorReply(line), end };
  if (sign === '_') return { reply: null, end };
  if (!/^-?\d+$/.test(line)) throw new Error(`no reply: ${sign}${line}`);
  const count = Number(line);
  if (sign === ':') return { reply: count, end };
  if (sign === '$' && count < 0) return { reply: null, end };
  if (sign === '$') {
    if (bytes.length < end + count + 2) return undefined;
    if (bytes.toString('latin1', end + count, end + count + 2) !== '\r\n') {
      throw new Error('a bulk does not end with CRLF');
    }
    return { reply: bytes.subarray(end, end + count), end: end + count + 2 };
  }
  if (sign === '*' || sign === '%') return readMany(bytes, sign, count, end);
  throw new Error(`no reply: ${sign}${line}`);
}

function readMany(
  bytes: Buffer,
  sign: '*' | '%',
  count: number,
  from: number,
): { reply: Reply; end: number } | undefined {
  const items: Reply[] = [];
  let end = from;
  for (let i = 0; i < (sign === '%' ? 2 * count : count); i++) {
    const item = readReply(bytes, end);
    if (item === undefined) return undefined;
    items.push(item.reply);
    end = item.end;
  }
  if (sign === '*') return { reply: items, end };
  const map = new Map<string, Reply>();
  for (let i = 0; i < items.length; i += 2) map.set(textOf(items[i]), items[i + 1] as Reply);
  return { reply: map, end };
}

function textOf(name: Reply | undefined): string {
  if (Buffer.isBuffer(name)) return name.toString();
  if (typeof name === 'string' || typeof name === 'number') return String(name);
  throw new Error('a name in a map is no text');
}

export type Word = string | number | Uint8Array;

/** A command as clients send it. */
export function encode(...words: readonly Word[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = word instanceof Uint8Array ? Buffer.from(word) : Buffer.from(String(word));
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

/** Where the bulk ends that `bytes` begins with; 0 where that cannot be told. */
function bulkEnd(bytes: Buffer): number {
  const header = /^\$(\d+)\r\n/.exec(bytes.toString('latin1', 0, 20));
  return header === null ? 0 : header[0].length + Number(header[1]) + 2;
}

export class RespClient {
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #chunks: Buffer[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => this.#chunks.push(chunk));
  }

  static async to(url: string): Promise<RespClient> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    onTestFinished(() => void socket.destroy());
    return new RespClient(socket);
  }

  /** Sends one command and reads its reply. */
  async call(...words: readonly Word[]): Promise<Reply> {
    this.send(encode(...words));
    return this.reply();
  }

  send(bytes: Uint8Array | string): void {
    this.socket.write(bytes);
  }

  /** The next reply. @throws when the connection closes before it is complete */
  async reply(): Promise<Reply> {
    for (;;) {
      // A large bulk is put together once, not with each chunk.
      while (this.#sizeBytes < bulkEnd(this.#received)) await this.#more(this.#chunks.length);
      const found = readReply(this.#all());
      if (found !== undefined) {
        this.#received = this.#received.subarray(found.end);
        return found.reply;
      }
      await this.#more();
    }
  }

  async replies(count: number): Promise<Reply[]> {
    const replies: Reply[] = [];
    for (let i = 0; i < count; i++) replies.push(await this.reply());
    return replies;
  }

  /** Exactly the next bytes. */
  async bytes(count: number): Promise<string> {
    while (this.#all().length < count) await this.#more();
    const text = this.#received.toString('latin1', 0, count);
    this.#received = this.#received.subarray(count);
    return text;
  }

  /** What has come and was not read, when the connection is closed. */
  async rest(): Promise<string> {
    if (!this.socket.closed) await closed(this.socket);
    return this.#all().toString('latin1');
  }

  #all(): Buffer {
    if (this.#chunks.length > 0) {
      this.#received = Buffer.concat([this.#received, ...this.#chunks]);
      this.#chunks = [];
    }
    return this.#received;
  }

  get #sizeBytes(): number {
    return this.#chunks.reduce((sum, { length }) => sum + length, this.#received.length);
  }

  /** Waits until there are more chunks than `known`. */
  async #more(known = 0): Promise<void> {
    if (this.#chunks.length > known) return;
    if (this.socket.closed || this.socket.readableEnded) {
      throw new Error(`closed after ${JSON.stringify(this.#received.toString('latin1', 0, 200))}`);
    }
    await new Promise<void>((resolve) => {
      const { socket } = this;
      const settle = (): void => {
        for (const event of ['data', 'end', 'close']) socket.off(event, settle);
        resolve();
      };
      for (const event of ['data', 'end', 'close']) socket.on(event, settle);
    });
  }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

/** A reply as a test writes it: bulk strings as strings in quotes, errors as their first word and code. */
export function plain(reply: Reply): unknown {
  if (reply instanceof ErrorReply) return `-${reply.word} ${reply.code}`;
  if (Buffer.isBuffer(reply)) return `"${reply.toString()}"`;
  if (reply instanceof Map) {
    return Object.fromEntries([...reply].map(([name, value]) => [name, plain(value)]));
  }
  return Array.isArray(reply) ? reply.map(plain) : reply;
}
