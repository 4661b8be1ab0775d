/**
 * Keys: a context id and a part name, as the bytes that entries store and the index hashes.
 *
 * ```
 * word 0            word 1 …
 * ┌────────┬───────┬───────────┬─────────────┬──────────────┐
 * │ partLen│ idLen │ id, UTF-8 │ part, UTF-8 │ 0 to word end│
 * │ 16     │ 16    │           │             │              │
 * └────────┴───────┴───────────┴─────────────┴──────────────┘
 * ```
 * A key of at most 60 bytes of text sits in its entry's third line; a longer one in a metadata block of its own.
 */

import { hashHigh, hashLow, hashText, hashWords } from '../base/hash.ts';
import { show } from '../base/show.ts';
import { decodeUtf8 } from '../base/utf8.ts';
import { fail } from '../errors.ts';
import { peek, poke, type Words } from '../memory/words.ts';

/** Longest id or part name in UTF-8 bytes. */
export const nameMaxBytes = 512;
/** Words of a key that fit an entry's own line. */
export const inlineKeyWords = 16;

const scratchWordCount = 1 + (2 * nameMaxBytes) / 4;
const encoder = new TextEncoder();
const anyPart = '-';

/**
 * The key under consideration: encoded once per operation into scratch words. One per store; not re-entrant.
 */
export class Key {
  readonly words: Words = new Int32Array(scratchWordCount);
  readonly bytes: Uint8Array = new Uint8Array(this.words.buffer);
  /** Words in use. */
  length = 0;
  idBytes = 0;
  low = 0;
  high = 0;
  readonly #idWords: Words = new Int32Array(1 + nameMaxBytes / 4);
  readonly #seedLow: number;
  readonly #seedHigh: number;
  /** The names that the words stand for; undefined: something else. */
  #id: string | undefined;
  #part = '';
  /** Names of parts are few: the last one in words, and a 0 behind it; of no bytes when it is not ASCII. */
  readonly #partWords: Words = new Int32Array(2 + nameMaxBytes / 4);
  #partText = '';
  #partBytes = 0;

  constructor(seedLow: number, seedHigh: number) {
    this.#seedLow = seedLow;
    this.#seedHigh = seedHigh;
    this.#setPart(anyPart);
  }

  /** @throws invalid_argument unless both are 1–512 bytes of well-formed text */
  set(id: string, part: string): void {
    if (id === this.#id && part === this.#part) return; // asked for again: a get, and then an append
    this.#id = undefined;
    const length = typeof id === 'string' ? id.length : 0;
    if (length === 0 || length > nameMaxBytes) badName(id, 'context id');
    if (part !== this.#partText) this.#setPart(part);
    const partBytes = this.#partBytes;
    const { words } = this;
    const isAscii =
      partBytes > 0 &&
      hashText(words, id, partBytes, this.#partWords, this.#seedLow, this.#seedHigh);
    if (isAscii) this.#take(length, (length + partBytes + 7) >> 2);
    else this.#setWide(id, part);
    this.#id = id;
    this.#part = part;
  }

  /** A key of which only the context is asked for. @throws as `set` */
  setContext(id: string): void {
    this.set(id, anyPart);
  }

  /** Hash of a tag's text with the pool's seed. */
  tagHash(words: Words, count: number): number {
    hashWords(words, 0, count, this.#seedLow, this.#seedHigh);
    return hashLow;
  }

  /** Takes the key of an entry (`words` from `at`). @returns false when its lengths are impossible */
  load(words: Words, at: number): boolean {
    const header = peek(words, at);
    const idBytes = header & 0xffff;
    const partBytes = header >>> 16;
    if (idBytes < 1 || idBytes > nameMaxBytes || partBytes < 1 || partBytes > nameMaxBytes) {
      return false;
    }
    const count = 1 + ((idBytes + partBytes + 3) >> 2);
    if (at + count > words.length) return false;
    this.#id = undefined;
    for (let i = 0; i < count; i++) this.words[i] = peek(words, at + i);
    this.#finish(idBytes, 4 + idBytes + partBytes);
    return true;
  }

  /** Hash of the id alone: the tag of the context. */
  contextTag(): number {
    const count = (this.idBytes + 7) >> 2;
    for (let i = 1; i < count; i++) this.#idWords[i] = this.words[i] as number;
    const rest = this.idBytes & 3;
    if (rest !== 0)
      this.#idWords[count - 1] = (this.#idWords[count - 1] as number) & ((1 << (rest << 3)) - 1);
    this.#idWords[0] = this.idBytes;
    hashWords(this.#idWords, 0, count, this.#seedLow, this.#seedHigh);
    return hashLow;
  }

  /** True when the key at `at` is this one. */
  equals(words: Words, at: number): boolean {
    const mine = this.words;
    for (let i = 0; i < this.length; i++) {
      if (peek(words, at + i) !== (mine[i] as number)) return false;
    }
    return true;
  }

  /** True when the key at `at` is of this key's context. */
  sameContext(words: Words, at: number): boolean {
    if ((peek(words, at) & 0xffff) !== this.idBytes) return false;
    const whole = this.idBytes >> 2;
    for (let i = 1; i <= whole; i++) {
      if (peek(words, at + i) !== (this.words[i] as number)) return false;
    }
    const rest = this.idBytes & 3;
    if (rest === 0) return true;
    const mask = (1 << (rest << 3)) - 1;
    return ((peek(words, at + whole + 1) ^ (this.words[whole + 1] as number)) & mask) === 0;
  }

  /** Writes the key into pool memory from word `at` on. */
  write(words: Words, at: number): void {
    for (let i = 0; i < this.length; i++) poke(words, at + i, this.words[i] as number);
  }

  #finish(idBytes: number, endByte: number): void {
    const count = (endByte + 3) >> 2;
    this.words[0] = idBytes | ((endByte - 4 - idBytes) << 16);
    hashWords(this.words, 0, count, this.#seedLow, this.#seedHigh);
    this.#take(idBytes, count);
  }

  #take(idBytes: number, length: number): void {
    this.idBytes = idBytes;
    this.length = length;
    this.low = hashLow;
    this.high = hashHigh;
  }

  #setPart(part: string): void {
    const length = typeof part === 'string' ? part.length : 0;
    if (length === 0 || length > nameMaxBytes) badName(part, 'part name');
    this.#partWords.fill(0);
    this.#partBytes = length;
    for (let i = 0; i < length; i++) {
      const code = part.charCodeAt(i);
      if (code > 0x7f) this.#partBytes = 0;
      this.#partWords[i >> 2] = (this.#partWords[i >> 2] as number) | (code << ((i & 3) << 3));
    }
    this.#partText = part;
  }

  #setWide(id: string, part: string): void {
    const idEnd = this.#encode(id, 4, 'context id');
    this.#finish(idEnd - 4, this.#encode(part, idEnd, 'part name'));
  }

  /** @returns the byte after the text; bytes behind it up to the word's end are 0 */
  #encode(text: string, at: number, what: string): number {
    if (!text.isWellFormed()) badName(text, what);
    const { read, written } = encoder.encodeInto(text, this.bytes.subarray(at, at + nameMaxBytes));
    if (read !== text.length) badName(text, what);
    const end = at + written;
    for (let i = end; (i & 3) !== 0; i++) this.bytes[i] = 0;
    return end;
  }
}

function badName(text: unknown, what: string): never {
  fail(
    'invalid_argument',
    `The ${what} must be 1 to ${nameMaxBytes} bytes of UTF-8; got ${show(text)}.`,
  );
}

/** Decodes the key at word `at` of a segment. Copies: shared memory cannot be decoded in place. */
export function readNames(
  words: Words,
  bytes: Uint8Array,
  at: number,
): { readonly id: string; readonly part: string } {
  const header = peek(words, at);
  const idEnd = (at << 2) + 4 + (header & 0xffff);
  const text = bytes.slice((at << 2) + 4, idEnd + (header >>> 16));
  const idBytes = header & 0xffff;
  return {
    id: decodeUtf8(text.subarray(0, idBytes)),
    part: decodeUtf8(text.subarray(idBytes)),
  };
}

/** UTF-8 bytes of a context id at word `at`, copied. */
export function readIdBytes(words: Words, bytes: Uint8Array, at: number): Uint8Array {
  const from = (at << 2) + 4;
  return bytes.slice(from, from + (peek(words, at) & 0xffff));
}
