/** Patterns as MATCH has them: `*`, `?`, `[a-z]`, `[^…]` and `\` before a character that stands for itself. */

import { fail } from '../../errors.ts';

/** One character of a pattern. */
type Item =
  | { readonly type: 'any' }
  | { readonly type: 'one' }
  | { readonly type: 'literal'; readonly code: number }
  /** For each byte 1 where it is of the class. */
  | { readonly type: 'class'; readonly members: Uint8Array };

export interface Pattern {
  matches(text: string): boolean;
}

/** Longest pattern: the longest key with a backslash before each of its bytes. */
const sourceMaxLength = 1024;

/** Compiles a pattern over the characters of a text, one for each byte of a key. @throws value_too_large */
export function compilePattern(source: string): Pattern {
  if (source.length > sourceMaxLength) {
    const message = `a pattern of ${source.length} bytes, above ${sourceMaxLength}`;
    fail('value_too_large', message);
  }
  const items = parse(source);
  return { matches: (text) => matches(items, text) };
}

/**
 * Only the last `*` is ever taken back: whatever an earlier one could have taken, the last can too. So the time is at most the product
 * of both lengths.
 */
function matches(items: readonly Item[], text: string): boolean {
  let item = 0;
  let at = 0;
  let starItem = -1;
  let starAt = 0;
  while (at < text.length) {
    const current = items[item];
    if (current?.type === 'any') {
      starItem = item++;
      starAt = at;
    } else if (current !== undefined && fits(current, text.charCodeAt(at))) {
      item++;
      at++;
    } else if (starItem >= 0) {
      item = starItem + 1;
      at = ++starAt;
    } else {
      return false;
    }
  }
  while (items[item]?.type === 'any') item++;
  return item === items.length;
}

function fits(item: Item, code: number): boolean {
  if (item.type === 'literal') return item.code === code;
  if (item.type !== 'class') return item.type === 'one';
  return item.members[code] === 1;
}

function parse(source: string): Item[] {
  const items: Item[] = [];
  let at = 0;
  while (at < source.length) {
    const character = source[at] as string;
    if (character === '*') {
      if (items.at(-1)?.type !== 'any') items.push({ type: 'any' });
    } else if (character === '?') {
      items.push({ type: 'one' });
    } else if (character === '[') {
      at = parseClass(source, at + 1, items);
      continue;
    } else {
      if (character === '\\' && at + 1 < source.length) at++;
      items.push({ type: 'literal', code: source.charCodeAt(at) });
    }
    at++;
  }
  return items;
}

/** A class that is never closed goes to the end. @returns where the pattern goes on */
function parseClass(source: string, from: number, items: Item[]): number {
  const negated = source[from] === '^';
  const members = new Uint8Array(256).fill(negated ? 1 : 0);
  let at = negated ? from + 1 : from;
  while (at < source.length && source[at] !== ']') {
    if (source[at] === '\\' && at + 1 < source.length) at++;
    const low = source.charCodeAt(at);
    let high = low;
    if (source[at + 1] === '-' && at + 2 < source.length && source[at + 2] !== ']') {
      high = source.charCodeAt(at + 2);
      at += 2;
    }
    members.fill(negated ? 0 : 1, Math.min(low, high), Math.max(low, high) + 1);
    at++;
  }
  items.push({ type: 'class', members });
  return at + 1;
}
