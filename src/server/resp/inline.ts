/** Inline commands: a line of words, as people type them. */

import { fail } from '../../errors.ts';

const quote = 0x22;
const apostrophe = 0x27;
const backslash = 0x5c;

const escapes: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, b: 8, a: 7 };

/**
 * Splits a line into words: `"…"` takes \n \r \t \b \a \" \\ and \xHH, `'…'` takes \' only. After a quote a word ends.
 * @throws invalid_argument for quotes that do not close
 */
export function splitLine(line: Uint8Array): Buffer[] {
  const words: Buffer[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isSpace(line[at] as number)) at++;
    if (at >= line.length) return words;
    const word: number[] = [];
    at = readWord(line, at, word);
    words.push(Buffer.from(word));
  }
}

function readWord(line: Uint8Array, from: number, word: number[]): number {
  let at = from;
  while (at < line.length && !isSpace(line[at] as number)) {
    const byte = line[at] as number;
    if (byte === quote || byte === apostrophe) {
      at = byte === quote ? readQuoted(line, at + 1, word) : readApostrophes(line, at + 1, word);
      if (at < line.length && !isSpace(line[at] as number)) unbalanced();
      return at;
    }
    word.push(byte);
    at++;
  }
  return at;
}

function readQuoted(line: Uint8Array, from: number, word: number[]): number {
  let at = from;
  while (at < line.length) {
    const byte = line[at] as number;
    if (byte === quote) return at + 1;
    if (byte !== backslash || at + 1 >= line.length) {
      word.push(byte);
      at++;
      continue;
    }
    const letter = String.fromCharCode(line[at + 1] as number);
    const hex = Buffer.from(line.subarray(at + 2, at + 4)).toString('latin1');
    if (letter === 'x' && /^[0-9a-fA-F]{2}$/.test(hex)) {
      word.push(Number.parseInt(hex, 16));
      at += 4;
    } else {
      word.push(escapes[letter] ?? (line[at + 1] as number));
      at += 2;
    }
  }
  return unbalanced();
}

function readApostrophes(line: Uint8Array, from: number, word: number[]): number {
  let at = from;
  while (at < line.length) {
    const byte = line[at] as number;
    if (byte === apostrophe) return at + 1;
    if (byte === backslash && line[at + 1] === apostrophe) at++;
    word.push(line[at] as number);
    at++;
  }
  return unbalanced();
}

function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13) || byte === 0;
}

function unbalanced(): never {
  fail('invalid_argument', 'Protocol error: unbalanced quotes in request');
}
