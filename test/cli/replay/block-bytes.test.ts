import { describe, expect, it } from 'vitest';
import { BlockBytes, BlockCheck, headerBytes } from '../../../src/cli/replay/block-bytes.ts';
import { seed } from '../../support/seed.ts';
import { fc } from '../../support/properties.ts';

function whole(bytes: BlockBytes, block: number): Buffer {
  return Buffer.concat([bytes.header(block), bytes.body(block)]);
}

function check(
  bytes: BlockBytes,
  block: number,
  arrived: Buffer,
  places: readonly number[],
): boolean {
  const checked = new BlockCheck(bytes);
  checked.begin(block);
  const ends = [...places.map((place) => place % (arrived.length + 1)), arrived.length];
  let at = 0;
  for (const end of ends.sort((a, b) => a - b)) {
    checked.push(arrived.subarray(at, end));
    at = end;
  }
  return checked.isWhole;
}

const sizes = fc.integer({ min: headerBytes, max: 300 });
const cuts = fc.array(fc.nat(), { maxLength: 5 });

describe('the bytes of a block', () => {
  it('are recognised wherever they are cut, and nothing else is', () => {
    const property = fc.property(
      sizes,
      fc.nat({ max: 2 ** 31 - 1 }),
      cuts,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (size, block, places, at, change) => {
        const bytes = new BlockBytes(size, 7);
        const right = whole(bytes, block);
        expect(right.length).toBe(size);
        expect(check(bytes, block, right, places)).toBe(true);
        expect(check(bytes, block + 1, right, places)).toBe(false);
        expect(check(bytes, block, right.subarray(1), places)).toBe(false);
        expect(check(bytes, block, Buffer.concat([right, right]), places)).toBe(false);
        expect(check(bytes, block, Buffer.alloc(0), places)).toBe(false);
        const changed = Buffer.from(right);
        changed[at % size] = (changed[at % size] as number) ^ change;
        expect(check(bytes, block, changed, places)).toBe(false);
      },
    );
    fc.assert(property, { seed: seed() });
  });

  it('are those of one run', () => {
    const bytes = new BlockBytes(64, 1);
    expect(whole(bytes, 5)).not.toEqual(whole(new BlockBytes(64, 2), 5));
    expect(whole(bytes, 5)).toEqual(whole(bytes, 5));
  });
});
