import { describe, expect, it } from 'vitest';

import { compilePattern } from '../../../src/server/resp/glob.ts';
import { parameters } from '../support/fuzz.ts';
import { fc } from '../../support/properties.ts';

/** The slow and obvious way, for patterns without classes. */
function matches(pattern: string, text: string): boolean {
  const [first] = pattern;
  if (first === undefined) return text === '';
  if (first === '*') {
    return matches(pattern.slice(1), text) || (text !== '' && matches(pattern, text.slice(1)));
  }
  if (text === '') return false;
  const isEscape = first === '\\' && pattern.length > 1;
  const literal = isEscape ? (pattern[1] as string) : first;
  const fits = (first === '?' && !isEscape) || literal === text[0];
  return fits && matches(pattern.slice(isEscape ? 2 : 1), text.slice(1));
}

describe('patterns', () => {
  it('match as they do the slow way', () => {
    const letters = (...of: readonly string[]): fc.Arbitrary<string> =>
      fc.string({ unit: fc.constantFrom(...of), maxLength: 9 });
    const pattern = letters('a', 'b', '*', '?', '\\');
    fc.assert(
      fc.property(pattern, letters('a', 'b', '*'), (p, t) => {
        expect(compilePattern(p).matches(t)).toBe(matches(p, t));
      }),
      parameters(3000),
    );
  });

  it.each([
    ['[a-c]x', 'bx', 'dx'],
    ['[c-a]x', 'bx', 'dx'],
    ['[^a-c]x', 'dx', 'bx'],
    ['[a-]x', '-x', 'bx'],
    ['[\\]]x', ']x', '\\x'],
    ['*[\xfe-\xff]', 'k\xff', 'k\xfd'],
    ['[ab', 'b', 'c'],
    ['x[]y', 'never', 'xy'],
    ['[^]', '\xff', ''],
  ])('with classes: %s', (pattern, text, other) => {
    expect(compilePattern(pattern).matches(text)).toBe(text !== 'never');
    expect(compilePattern(pattern).matches(other)).toBe(false);
  });

  it('have a longest length, so that a page of keys is matched in a bounded time', () => {
    expect(compilePattern('\\a'.repeat(512)).matches('a'.repeat(512))).toBe(true);
    expect(() => compilePattern(`[${'a'.repeat(1023)}]`)).toThrow(/1025 bytes, above 1024/);
  });
});
