/**
 * Replies of RESP2, as they arrive. The bytes of a bulk string are handed on piece by piece and never gathered; of an array only its end matters,
 * since what is asked here is never answered by one, but for the greeting.
 */

import { fail } from '../../errors.ts';

export type Reply =
  | { readonly type: 'status' | 'error'; readonly text: string }
  | { readonly type: 'integer'; readonly value: number }
  | { readonly type: 'null' | 'bulk' | 'array' };

export interface ReplyHandler {
  /** A bulk string begins. */
  onBulk(): void;
  /** Bytes of it. */
  onBytes(chunk: Buffer): void;
  /** A whole reply has been read. */
  onReply(reply: Reply): void;
}

/** Bounds of what is believed of a server. */
const maxLineBytes = 2 ** 16;
const maxBulkBytes = 2 ** 29;
const maxElements = 2 ** 20;

const cr = 13;
const lf = 10;

const nothing: Reply = { type: 'null' };
const bulk: Reply = { type: 'bulk' };
const array: Reply = { type: 'array' };

export class ReplyReader {
  readonly #handler: ReplyHandler;
  /** A line that is not complete yet. */
  #line = '';
  /** Bytes of a bulk string that are still to come, and of the line end behind it. */
  #bulkBytes = 0;
  #endBytes = 0;
  /** Elements of an array that are still to come. */
  #elements = 0;

  constructor(handler: ReplyHandler) {
    this.#handler = handler;
  }

  /** @throws target_unavailable when it is not RESP2 */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#bulkBytes > 0) at = this.#takeBytes(chunk, at);
      else if (this.#endBytes > 0) at = this.#takeEnd(chunk, at);
      else at = this.#takeLine(chunk, at);
    }
  }

  #takeBytes(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#bulkBytes);
    this.#bulkBytes -= end - at;
    if (this.#elements === 0) this.#handler.onBytes(chunk.subarray(at, end));
    return end;
  }

  #takeEnd(chunk: Buffer, at: number): number {
    if (chunk[at] !== (this.#endBytes === 2 ? cr : lf)) alien('a bulk string of another length');
    this.#endBytes -= 1;
    if (this.#endBytes === 0) this.#complete(bulk);
    return at + 1;
  }

  #takeLine(chunk: Buffer, at: number): number {
    const end = chunk.indexOf(lf, at);
    this.#line += chunk.toString('latin1', at, end < 0 ? chunk.length : end);
    if (this.#line.length > maxLineBytes) alien('an endless line');
    if (end < 0) return chunk.length;
    const line = this.#line;
    this.#line = '';
    if (!line.endsWith('\r')) alien(`'${line.slice(0, 40)}'`);
    this.#takeHead(line.charAt(0), line.slice(1, -1));
    return end + 1;
  }

  #takeHead(type: string, text: string): void {
    switch (type) {
      case '+':
        return this.#complete({ type: 'status', text });
      case '-':
        return this.#complete({ type: 'error', text });
      case ':':
        return this.#complete({ type: 'integer', value: Number(text) });
      case '$':
        return this.#beginBulk(countIn(text, maxBulkBytes));
      case '*':
        return this.#beginArray(countIn(text, maxElements));
      default:
        return alien(`'${type}${text.slice(0, 40)}'`);
    }
  }

  #beginBulk(sizeBytes: number): void {
    if (sizeBytes < 0) {
      this.#complete(nothing);
      return;
    }
    this.#bulkBytes = sizeBytes;
    this.#endBytes = 2;
    if (this.#elements === 0) this.#handler.onBulk();
  }

  #beginArray(length: number): void {
    if (length <= 0) {
      this.#complete(array);
      return;
    }
    // The array itself is the last of its elements to be complete.
    this.#elements += this.#elements === 0 ? length : length - 1;
    if (this.#elements > maxElements) alien('an endless array');
  }

  #complete(reply: Reply): void {
    if (this.#elements === 0) {
      this.#handler.onReply(reply);
      return;
    }
    this.#elements -= 1;
    if (this.#elements === 0) this.#handler.onReply(array);
  }
}

/** −1 stands for null. */
function countIn(text: string, max: number): number {
  const count = /^(-1|\d{1,15})$/.test(text) ? Number(text) : Number.NaN;
  if (!(count <= max)) alien(`a length of '${text.slice(0, 40)}'`);
  return count;
}

function alien(what: string): never {
  return fail('target_unavailable', `the server does not speak RESP: it sent ${what}`);
}
