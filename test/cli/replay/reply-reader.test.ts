import { describe, expect, it } from 'vitest';
import { CenoteError } from '../../../src/errors.ts';
import { ReplyReader, type Reply } from '../../../src/cli/replay/reply-reader.ts';
import { rounds, seed } from '../../support/seed.ts';
import { fc } from '../../support/properties.ts';

interface Seen {
  readonly replies: Reply[];
  readonly bulks: string[];
}

function readAll(chunks: readonly Buffer[]): Seen {
  const seen: Seen = { replies: [], bulks: [] };
  const reader = new ReplyReader({
    onBulk: () => seen.bulks.push(''),
    onBytes: (chunk) => {
      seen.bulks[seen.bulks.length - 1] += chunk.toString('latin1');
    },
    onReply: (reply) => seen.replies.push(reply),
  });
  for (const chunk of chunks) reader.push(chunk);
  return seen;
}

/** The bytes in pieces that end at these places. */
function pieces(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort(
    (a, b) => a - b,
  );
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const conversation = Buffer.from(
  '+OK\r\n-ERR it\tbroke\r\n:42\r\n$5\r\nab\r\nc\r\n$-1\r\n$0\r\n\r\n*0\r\n*-1\r\n' +
    '*3\r\n$1\r\nx\r\n*2\r\n:1\r\n*0\r\n*1\r\n+y\r\n:-7\r\n',
);
const heard: Seen = {
  replies: [
    { type: 'status', text: 'OK' },
    { type: 'error', text: 'ERR it\tbroke' },
    { type: 'integer', value: 42 },
    { type: 'bulk' },
    { type: 'null' },
    { type: 'bulk' },
    { type: 'array' },
    { type: 'array' },
    { type: 'array' },
    { type: 'integer', value: -7 },
  ],
  bulks: ['ab\r\nc', ''],
};

describe('replies', () => {
  it('are the same wherever the bytes are cut', () => {
    expect(readAll([conversation])).toEqual(heard);
    expect(readAll([...conversation].map((byte) => Buffer.of(byte)))).toEqual(heard);
    const property = fc.property(fc.array(fc.nat(), { maxLength: 12 }), (places) => {
      expect(readAll(pieces(conversation, places))).toEqual(heard);
    });
    fc.assert(property, { seed: seed(), numRuns: rounds(300, 3000) });
  });

  it.each([
    'HTTP/1.1 400 Bad Request\r\n',
    '+OK\n',
    '$3\r\nabcd\r\n',
    '$abc\r\n',
    '$-2\r\n',
    '$999999999999\r\n',
    '*9999999\r\n',
    `+${'x'.repeat(70_000)}`,
    '%1\r\n',
  ])('that are not RESP2 are refused: %j', (text) => {
    expect(() => readAll([Buffer.from(text)])).toThrow(
      expect.objectContaining({ code: 'target_unavailable' }),
    );
  });

  it('that are damaged lead to nothing but a coded error', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 5,
    });
    const property = fc.property(
      damage,
      fc.array(fc.nat(), { maxLength: 4 }),
      (changes, places) => {
        const bytes = Buffer.from(conversation);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        try {
          readAll(pieces(bytes, places));
        } catch (error) {
          expect(error).toBeInstanceOf(CenoteError);
          expect(error).toMatchObject({ code: 'target_unavailable' });
        }
      },
    );
    fc.assert(property, { seed: seed(), numRuns: rounds(500, 50_000) });
  });
});
