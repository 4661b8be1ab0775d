import { describe, expect, it } from 'vitest';

import { keyOf, nameOf } from '../../../src/server/resp/names.ts';
import { parameters } from '../support/fuzz.ts';
import { fc } from '../../support/properties.ts';

const sub = 0x1a;

/** Bytes of all sorts: text, bytes that are none, and both behind the sign of an escape. */
const key = fc
  .oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 100 }).map((text) => new TextEncoder().encode(text)),
    fc.array(fc.constantFrom(sub, 0x61, 0x80, 0xc3, 0xa9, 0xff), { maxLength: 12 }),
  )
  .map((bytes) => Buffer.from(bytes));

function named(bytes: Buffer): string {
  return nameOf(Buffer.concat([Buffer.from('<<'), bytes, Buffer.from('>>')]), 2, 2 + bytes.length);
}

describe('keys and names', () => {
  it('turns any bytes into well-formed text, and back', () => {
    fc.assert(
      fc.property(key, (bytes) => {
        const name = named(bytes);
        expect(name.isWellFormed()).toBe(true);
        expect(keyOf(name)).toEqual(bytes);
      }),
      parameters(3000),
    );
  });

  it('turns any well-formed text into bytes, and back: no name is out of reach', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }).filter((string) => string.isWellFormed()),
      fc
        .array(fc.constantFrom('\x1a', 'a', 'é', 'ÿ', '\u0080', 'Ã', '©', 'Ā'), { maxLength: 12 })
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (name) => {
        expect(named(keyOf(name))).toBe(name);
      }),
      parameters(3000),
    );
  });

  it('leaves text as it is, also with a byte order mark and beyond ASCII', () => {
    for (const text of ['chat-42', 'schön', '\ufeffmark', '𝒳', '', 'x'.repeat(200)]) {
      expect(named(Buffer.from(text))).toBe(text);
    }
  });

  it('takes two bytes of a name for each byte above 0x7f, and one more, where the key is not UTF-8', () => {
    const bytes = Buffer.alloc(255, 0xff);
    expect(Buffer.byteLength(named(bytes))).toBe(511);
    expect(Buffer.byteLength(named(Buffer.concat([bytes, Buffer.from('a')])))).toBe(512);
  });
});
