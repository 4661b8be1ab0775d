import { expect, it } from 'vitest';

import { Utf8Check } from '../../src/server/http/utf8.ts';
import { fuzz } from './support/fuzz.ts';
import { fc } from '../support/properties.ts';

function accepts(bytes: Uint8Array, cuts: readonly number[]): boolean {
  const check = new Utf8Check();
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  let from = 0;
  try {
    for (const end of ends) {
      check.push(bytes.subarray(from, end));
      from = end;
    }
    check.finish();
    return true;
  } catch {
    return false;
  }
}

function isValid(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Bytes near the edges of UTF-8, where mistakes live. */
const edgy = fc.array(
  fc.constantFrom(
    0x00,
    0x41,
    0x7f,
    0x80,
    0x8f,
    0x90,
    0x9f,
    0xa0,
    0xbf,
    0xc0,
    0xc1,
    0xc2,
    0xdf,
    0xe0,
    0xe1,
    0xed,
    0xef,
    0xf0,
    0xf1,
    0xf4,
    0xf5,
    0xff,
  ),
  { maxLength: 12 },
);
const text = fc.string({ unit: 'binary', maxLength: 20 }).map((value) => [...Buffer.from(value)]);

it('agrees with the decoder, wherever chunks end', () => {
  fuzz(fc.oneof(edgy, text), fc.array(fc.nat(), { maxLength: 12 }), (list, cuts) => {
    const bytes = Uint8Array.from(list);
    expect(accepts(bytes, cuts)).toBe(isValid(bytes));
  });
});

it('takes every text byte by byte', () => {
  const bytes = Buffer.from('aü€🌊\u{10ffff}\ud7ff\ue000');
  expect(accepts(bytes, [...bytes.keys()])).toBe(true);
  for (let end = 0; end < bytes.length; end++) {
    expect(accepts(bytes.subarray(0, end), [...bytes.keys()])).toBe(
      isValid(bytes.subarray(0, end)),
    );
  }
});
