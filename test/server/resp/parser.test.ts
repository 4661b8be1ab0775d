import assert from 'node:assert/strict';

import { describe, expect, it } from 'vitest';

import { CenoteError } from '../../../src/errors.ts';
import type { BulkSink } from '../../../src/server/resp/arguments.ts';
import { defaultRespLimits, type RespLimits } from '../../../src/server/resp/limits.ts';
import { Parser } from '../../../src/server/resp/parser.ts';
import { parameters } from '../support/fuzz.ts';
import { encode } from './support/client.ts';
import { fc } from '../../support/properties.ts';

/** A sink that keeps what it gets, through both of its doors in turn. */
class Collector implements BulkSink {
  readonly #bytes: Buffer;
  #at = 0;
  closed = 0;
  readonly error = undefined;

  constructor(sizeBytes: number) {
    this.#bytes = Buffer.alloc(sizeBytes);
  }

  room(limitBytes: number): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#at + limitBytes);
  }

  wrote(sizeBytes: number): void {
    this.#at += sizeBytes;
  }

  write(chunk: Uint8Array): void {
    this.#bytes.set(chunk, this.#at);
    this.#at += chunk.length;
  }

  close(): void {
    this.closed++;
  }

  get text(): string {
    assert.equal(this.#at, this.#bytes.length);
    return this.#bytes.toString('latin1');
  }
}

/** All commands in `bytes`, read in chunks of the sizes given in turn; `direct` bulks are filled where they are. */
function commandsIn(
  bytes: Buffer,
  sizes: readonly number[],
  limits: Partial<RespLimits> = {},
  direct = true,
): string[][] {
  const found: string[][] = [];
  const sinks: Collector[] = [];
  const parser = new Parser({ ...defaultRespLimits, ...limits }, (_args, _index, sizeBytes) => {
    const sink = new Collector(sizeBytes);
    sinks.push(sink);
    return sink;
  });
  const scratch = Buffer.alloc(1 << 16, '\n');
  let turn = 0;
  for (let from = 0; from < bytes.length;) {
    const sizeBytes = Math.min(sizes[turn++ % sizes.length] as number, bytes.length - from);
    const room = direct ? parser.directRoom(sizeBytes) : undefined;
    if (room !== undefined) {
      room.set(bytes.subarray(from, from + room.length));
      parser.readDirectly(room.length);
      from += room.length;
      continue;
    }
    bytes.copy(scratch, 0, from, from + sizeBytes);
    from += sizeBytes;
    for (let at = 0; at < sizeBytes;) {
      at = parser.read(scratch, at, sizeBytes);
      if (!parser.isComplete) continue;
      const { args } = parser;
      const words = Array.from({ length: args.count }, (_, i) => {
        const sink = args.sink(i);
        return sink instanceof Collector ? sink.text : args.latin1(i);
      });
      found.push(words);
      parser.next();
      scratch.fill('\n', 0, at);
    }
  }
  parser.close();
  for (const sink of sinks) expect(sink.closed).toBeGreaterThan(0);
  return found;
}

const word = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.uint8Array({ minLength: 60, maxLength: 400 }),
);
const command = fc.array(word, { minLength: 1, maxLength: 6 });
const chunkSizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 });

describe('the parser', () => {
  it('finds the same commands however they are cut, large ones in place or not', () => {
    fc.assert(
      fc.property(
        fc.array(command, { minLength: 1, maxLength: 6 }),
        chunkSizes,
        fc.integer({ min: 50, max: 500 }),
        fc.boolean(),
        (commands, sizes, directBytes, direct) => {
          const bytes = Buffer.concat(commands.map((words) => encode(...words)));
          const expected = commands.map((words) =>
            words.map((bulk) => Buffer.from(bulk).toString('latin1')),
          );
          expect(commandsIn(bytes, sizes, { directBytes }, direct)).toEqual(expected);
          expect(commandsIn(bytes, [1 << 16], { directBytes }, direct)).toEqual(expected);
        },
      ),
      parameters(1500),
    );
  });

  it('reads lines of words, and skips what is empty', () => {
    const text =
      'PING\r\n\r\nset  k "a b"\n  \r\n*0\r\n*-1\r\nget \'it\\\'s\' "\\x41\\n\\"q\\q"\r\nx\0y\r\n';
    const expected = [['PING'], ['set', 'k', 'a b'], ['get', "it's", 'A\n"qq'], ['x', 'y']];
    expect(commandsIn(Buffer.from(text), [1 << 16])).toEqual(expected);
    expect(commandsIn(Buffer.from(text), [1])).toEqual(expected);
    expect(commandsIn(Buffer.from(text), [3, 7])).toEqual(expected);
  });

  it.each([
    ['an array in an array', '*1\r\n*1\r\n$1\r\na\r\n', 'invalid_argument'],
    ['an integer for a bulk', '*1\r\n:1\r\n', 'invalid_argument'],
    ['a null for a bulk', '*1\r\n$-1\r\n', 'invalid_argument'],
    ['a length that is no number', '*x\r\n', 'invalid_argument'],
    ['no length', '*\r\n', 'invalid_argument'],
    ['no length of a bulk', '*1\r\n$\r\n', 'invalid_argument'],
    ['a length without LF', '*1\rx', 'invalid_argument'],
    ['a length with more than a number', '*1x\r\n', 'invalid_argument'],
    ['a length that never ends', `*${'1'.repeat(40)}`, 'invalid_argument'],
    ['a bulk longer than it says', '*1\r\n$1\r\nabc\r\n', 'invalid_argument'],
    ['too many arguments', '*65537\r\n', 'value_too_large'],
    ['a bulk above the limit', `*1\r\n$${512 * 2 ** 20 + 1}\r\n`, 'value_too_large'],
    ['a length of sixteen digits', '*9999999999999\r\n', 'value_too_large'],
    ['a line without an end', 'x'.repeat(65_537), 'value_too_large'],
    ['quotes that do not close', 'set "a\r\n', 'invalid_argument'],
    ['apostrophes that do not close', "set 'a\r\n", 'invalid_argument'],
    ['a quote with more behind it', 'set "a"b\r\n', 'invalid_argument'],
  ])('refuses %s, in one piece or many', (_, text, code) => {
    for (const sizes of [[1 << 16], [1], [5]]) {
      let thrown: unknown;
      try {
        commandsIn(Buffer.from(text), sizes);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(CenoteError);
      expect((thrown as CenoteError).code).toBe(code);
      expect((thrown as CenoteError).message).toMatch(/^Protocol error: /);
    }
  });

  it('bounds what is gathered of one command', () => {
    const words = Array.from({ length: 20 }, () => 'x'.repeat(100));
    const bytes = encode(...words);
    expect(commandsIn(bytes, [64], { maxCommandBytes: 3000 })).toEqual([words]);
    expect(() => commandsIn(bytes, [64], { maxCommandBytes: 1500 })).toThrow(/1500 bytes/);
  });

  it('reserves memory for bytes that have come, not for those that are announced', () => {
    const parser = new Parser({ ...defaultRespLimits, directBytes: 2 ** 30 }, () => undefined);
    const chunk = Buffer.from('*2\r\n$3\r\nGET\r\n$500000000\r\nabc');
    expect(parser.read(chunk, 0, chunk.length)).toBe(chunk.length);
    expect(parser.heldBytes).toBeLessThanOrEqual(1024);
    parser.close();
    expect(parser.heldBytes).toBe(0);
  });
});
