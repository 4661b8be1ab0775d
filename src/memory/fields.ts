/** How numbers and identities wider than a word are kept in words: pure functions, shared by the headers of this room. */

const wordRange = 2 ** 32;

/** Low 32 bits of a non-negative integer below 2^53, as a signed word. */
export function lowWord(value: number): number {
  return (value % wordRange) | 0;
}

/** High bits of a non-negative integer below 2^53. */
export function highWord(value: number): number {
  return Math.floor(value / wordRange);
}

/** The integer of a low and a high word. 2^53 or more when the words were never written by `lowWord` and `highWord`. */
export function joinWords(low: number, high: number): number {
  return (high >>> 0) * wordRange + (low >>> 0);
}

/** Eight hex digits of `hex` from digit 8 · index, most significant first, as a signed word. */
export function hexWord(hex: string, index: number): number {
  return Number.parseInt(hex.slice(8 * index, 8 * index + 8), 16) | 0;
}

/** Eight lower-case hex digits of a word. */
export function wordHex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}

/** True for exactly `digits` lower-case hex digits. */
export function isHex(text: unknown, digits: number): text is string {
  return typeof text === 'string' && text.length === digits && /^[0-9a-f]*$/.test(text);
}
