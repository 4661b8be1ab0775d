/**
 * The misuses that allocators are attacked with (the list is that of mimalloc-bench's security programs), and what becomes of each: a coded error,
 * or harm that stays where it was done. The allocator itself is sound after every one of them.
 */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { PoolAllocator } from '../../src/alloc/allocator.ts';
import { usableBytes } from '../../src/alloc/classes.ts';
import { kinds } from '../../src/alloc/kind.ts';
import { segmentLayout } from '../../src/alloc/layout.ts';
import type { Ref, Segment } from '../../src/memory/region.ts';
import { codeOf } from '../memory/support/regions.ts';
import { kind, Program, zeroedKind } from './support/program.ts';
import { subjects } from './support/subjects.ts';

const page = 4096;
const mib = 2 ** 20;

type Row = readonly [
  program: string,
  run: (program: Program, sizeBytes: number) => void,
  zeroes?: boolean,
];

/** Each with a block of every tier. */
const ofEverySize: readonly Row[] = [
  [
    'double free is double_free',
    (program, sizeBytes) => {
      const ref = program.allocate(sizeBytes);
      program.free(ref);
      expect(program.freeing(ref)).toBe('double_free');
    },
  ],
  [
    'double free, delayed, is double_free',
    (program, sizeBytes) => {
      const ref = program.allocate(sizeBytes);
      program.free(ref);
      const others = [1, 2].map(() => program.allocate(sizeBytes));
      for (const other of others) program.free(other);
      expect(program.freeing(ref)).toBe('double_free');
    },
  ],
  [
    'double free, interleaved, is double_free',
    (program, sizeBytes) => {
      const [one, other] = [program.allocate(sizeBytes), program.allocate(sizeBytes)];
      program.free(one);
      program.free(other);
      expect(program.freeing(one)).toBe('double_free');
      expect(program.freeing(other)).toBe('double_free');
    },
  ],
  [
    'double free after reuse frees the new block, once',
    (program, sizeBytes) => {
      const ref = program.allocate(sizeBytes);
      const others: Ref[] = [];
      program.free(ref);
      while (others.at(-1) !== ref && others.length < 200) others.push(program.allocate(sizeBytes));
      for (const other of others) {
        if (other !== ref) program.free(other);
      }
      // The reference is that of a live block: nothing can tell it from the one that was freed. (A block of another owner waits for it.)
      if (others.includes(ref)) program.free(ref);
      expect(program.freeing(ref)).toBe('double_free');
    },
  ],
  [
    'free as another kind is wrong_kind',
    (program, sizeBytes) => {
      const ref = program.allocate(sizeBytes);
      // Those above are what a kind would be beside the bits of another word: a flag, or the owner.
      for (const other of [
        ...kinds.keys(),
        8,
        9,
        16 + kind,
        kind - 16,
        32 + kind,
        kind + 2 ** 29,
      ]) {
        if (other !== kind) expect(program.freeing(ref, other)).toBe('wrong_kind');
      }
      program.free(ref);
    },
  ],
  [
    'free of an address inside a block is foreign_reference',
    (program, sizeBytes) => {
      const ref = program.allocate(sizeBytes);
      for (let inside = 1; inside < Math.min(usableBytes(sizeBytes) / 64, 200); inside++)
        expect(program.freeing(ref + inside)).toBe('foreign_reference');
      program.free(ref);
    },
  ],
  [
    'free of an unaligned address is foreign_reference',
    (program, sizeBytes) => {
      const ref = program.allocate(sizeBytes);
      for (const off of [1 / 64, 0.5, 63 / 64, -1 / 64])
        expect(program.freeing(ref + off)).toBe('foreign_reference');
      program.free(ref);
    },
  ],
  [
    'free of an address far away is foreign_reference',
    (program, sizeBytes) => {
      const ref = program.allocate(sizeBytes);
      for (const off of [2 ** 28, 2 ** 30, 2 ** 31, 2 ** 32, -(2 ** 31)])
        expect(program.freeing(ref + off)).toBe('foreign_reference');
      program.free(ref);
    },
  ],
  [
    'use of a reference after its memory has merged with its neighbours is refused',
    (program, sizeBytes) => {
      const refs = [1, 2, 3].map(() => program.allocate(sizeBytes));
      for (const ref of refs) program.free(ref);
      for (const ref of refs) {
        const owner = program.next;
        expect(owner.isLive(ref)).toBe(false);
        expect(program.freeing(ref)).toBe('double_free');
        for (const use of ['keep', 'unkeep', 'sizeOf', 'kindOf'] as const)
          expect(codeOf(() => owner[use](ref))).toBe('foreign_reference');
      }
    },
  ],
  ...[1, 32, mib].flatMap((bytes): Row[] => [
    [
      `a write of ${bytes} bytes behind a block changes neighbours only`,
      (program, sizeBytes) => {
        const ref = program.allocate(sizeBytes);
        const { buffer, byteOffset, byteLength } = program.bytes(ref, usableBytes(sizeBytes));
        const end = byteOffset + byteLength;
        new Uint8Array(buffer, end, Math.min(bytes, buffer.byteLength - end)).fill(0xff);
        program.free(ref);
      },
    ],
    [
      `a write of ${bytes} bytes before a block changes neighbours only`,
      (program, sizeBytes) => {
        const ref = program.allocate(sizeBytes);
        const { buffer, byteOffset } = program.bytes(ref, usableBytes(sizeBytes));
        const firstByte = program.next.region.segments[0]?.firstByte ?? 0;
        const from = Math.max(byteOffset - bytes, firstByte + dataByte(program.next));
        new Uint8Array(buffer, from, byteOffset - from).fill(0xff);
        program.free(ref);
      },
    ],
  ]),
  [
    'a write after free, and after reuse, changes bytes only',
    (program, sizeBytes) => {
      const ref = program.allocate(sizeBytes);
      const bytes = program.bytes(ref, usableBytes(sizeBytes));
      program.free(ref);
      bytes.fill(0xff);
      const again = program.allocate(sizeBytes);
      bytes.fill(0xee);
      program.free(again);
    },
  ],
  [
    'memory of a kind that is zeroed holds nothing after free, and when it is given again',
    (program, sizeBytes) => {
      const ref = program.allocate(sizeBytes, zeroedKind);
      const bytes = program.bytes(ref, usableBytes(sizeBytes)).fill(0xa5);
      program.free(ref, zeroedKind);
      expect(bytes.every((byte) => byte === 0)).toBe(true);
      for (const smaller of [sizeBytes, Math.ceil(sizeBytes / 2)]) {
        const again = program.allocate(smaller, zeroedKind);
        expect(program.bytes(again, usableBytes(smaller)).every((byte) => byte === 0)).toBe(true);
        program.free(again, zeroedKind);
      }
    },
    true,
  ],
];

/** First byte of the data area of segment 0. */
function dataByte({ region }: PoolAllocator): number {
  const { sizeBytes } = region.segments[0] as Segment;
  return segmentLayout(sizeBytes, region.slabShift).dataPage * page;
}

const once: readonly [program: string, run: (program: Program) => void][] = [
  [
    'free of what was never allocated is refused',
    (program) => {
      const { region } = program.next;
      const last = ((region.segments[0] as Segment).sizeBytes >> 6) - 64;
      expect(program.freeing(last - 64)).toBe('double_free');
      expect(program.freeing(last - 63)).toBe('double_free');
    },
  ],
  [
    'free of the allocator’s own memory is foreign_reference',
    (program) => {
      for (let ref = 0; ref < dataByte(program.next) >> 6; ref += 7)
        expect(program.freeing(ref)).toBe('foreign_reference');
    },
  ],
  [
    'free of what is no reference at all is foreign_reference',
    (program) => {
      const strangers: unknown[] = [undefined, null, '64', {}, [], true, Number.NaN];
      for (const stranger of strangers)
        expect(program.freeing(stranger as Ref)).toBe('foreign_reference');
    },
  ],
  [
    'an impossibly large request is value_too_large',
    (program) => {
      for (const sizeBytes of [2 ** 31 - 1, 2 ** 31, 2 ** 32 + 64, 2 ** 40, 2 ** 53])
        expect(codeOf(() => program.next.allocate(kind, sizeBytes))).toBe('value_too_large');
    },
  ],
  [
    'a request for no bytes is invalid_argument',
    (program) => {
      for (const sizeBytes of [0, -0, -1, -64])
        expect(codeOf(() => program.next.allocate(kind, sizeBytes))).toBe('invalid_argument');
    },
  ],
  [
    'a write over the whole data area changes bytes only',
    (program) => {
      const sizes = [64, 700, 4096, 9000, mib, mib + 1];
      const refs = sizes.map((sizeBytes) => program.allocate(sizeBytes));
      const owner = program.next;
      for (const { bytes, sizeBytes } of owner.region.segments) {
        const { dataPage } = segmentLayout(sizeBytes, owner.region.slabShift);
        bytes.fill(0xff, dataPage * page);
      }
      expect(refs.map((ref) => owner.sizeOf(ref))).toEqual(sizes.map(usableBytes));
      for (const ref of refs) program.free(ref);
    },
  ],
  [
    'memory of a mapped pool cannot be executed',
    (program) => {
      const { region } = program.next;
      if (region.type !== 'mapped' || region.handle.type !== 'mapped') return;
      const { path } = region.handle;
      const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
      const ours = lines.filter((line) => line.includes(path));
      expect(ours.length).toBeGreaterThan(0);
      for (const line of ours) expect(line).toMatch(/^\S+ rw-[sp] /);
    },
  ],
];

describe.each(subjects)('$name', ({ open }) => {
  // Where nothing is zeroed, an owner frees the quick way.
  const begin = (zeroes = false): Program =>
    new Program(open({ zeroKinds: zeroes ? 1 << zeroedKind : 0 }).owners);

  describe.each([48, 3000, 20_000, 1_200_000])('with blocks of %i bytes', (sizeBytes) => {
    for (const [name, run, zeroes] of ofEverySize) {
      test(name, () => {
        const program = begin(zeroes);
        run(program, sizeBytes);
        program.expectSound();
      });
    }
  });

  test.each(once)('%s', (_, run) => {
    const program = begin();
    run(program);
    program.expectSound();
  });
});
