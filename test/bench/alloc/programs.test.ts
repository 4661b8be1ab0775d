/** The programs of several workers, here played by one thread in turn. */

import { describe, expect, it } from 'vitest';
import { openOurs } from '../../../bench/alloc/heaps/ours.ts';
import { type Variant, lockWords } from '../../../bench/alloc/heaps/variants.ts';
import { emptyPlay, type Play } from '../../../bench/alloc/player.ts';
import { boardBytes, openProgram } from '../../../bench/alloc/programs.ts';
import type { Program } from '../../../bench/alloc/programs/program.ts';

const options = { capacityBytes: 2 ** 26, aligned: false };

function openAll(play: Play) {
  const heap = openOurs(options);
  const team = { meet: () => {}, board: new SharedArrayBuffer(boardBytes(play)) };
  const programs = Array.from({ length: play.workers }, (_, i) => openProgram(heap, play, i, team));
  return { programs, live: () => heap.allocator.stats().liveBytes, heap };
}

const numbers: Record<string, Partial<Play>> = {
  xmalloc: { workers: 2, slots: 128, a: 8, b: 0 },
  'free-only': { workers: 2, slots: 100, a: 8, b: 16, c: 592 },
  larson: { workers: 2, slots: 100, ranges: [{ lowBytes: 8, highBytes: 999, weight: 100 }] },
  scratch: { workers: 2, a: 20 },
  holes: { workers: 1, slots: 50, a: 2 ** 21 },
};

function playOf(program: string): Play {
  return { ...emptyPlay, workers: 1, program, ...numbers[program] };
}

describe('xmalloc-test', () => {
  it('frees in one worker all that another allocates', () => {
    const { programs, live } = openAll(playOf('xmalloc'));
    const [producer, consumer] = programs as [Program, Program];
    expect(producer.round(500).operations).toBe(0);
    expect(live()).toBeGreaterThan(512 * 8);
    expect(consumer.round(500).operations).toBe(512);
    expect(live()).toBe(0);
  });
});

describe('free-only', () => {
  it('holds a fixed number of blocks once the last worker has freed', () => {
    const { programs, live } = openAll(playOf('free-only'));
    const [producer, consumer] = programs as [Program, Program];
    producer.round(128);
    expect(live()).toBe((100 + 128) * 640);
    expect(consumer.round(128).operations).toBe(128);
    expect(live()).toBe(100 * 640);
  });
});

describe('larson', () => {
  it('hands arrays on: what one worker allocated the next one frees', () => {
    const { programs, heap } = openAll(playOf('larson'));
    const [one, other] = programs as [Program, Program];
    for (let round = 0; round < 3; round += 1) {
      // Both fill their halves of both arrays before either replaces any, as `meet` sees to among threads.
      if (round === 0) for (const program of programs) program.round(0);
      expect(one.round(50).operations).toBe(50);
      other.round(50);
    }
    expect(heap.allocator.stats().kinds.reduce((sum, kind) => sum + kind.liveBlocks, 0)).toBe(200);
  });
});

describe('cache-scratch and free-holes', () => {
  it('leave as many blocks as they found', () => {
    const { programs, live } = openAll(playOf('scratch'));
    for (const program of programs) program.round(5);
    expect(live()).toBe(0);
    const holes = openAll(playOf('holes'));
    const before = holes.live();
    expect(holes.programs[0]?.round(5).operations).toBe(5);
    expect(holes.live()).toBe(before);
  });
});

it('refuses a program that it does not know', () => {
  expect(() => openAll(playOf('none'))).toThrow('no program none');
});

describe('variants', () => {
  const variants: readonly Variant[] = ['global lock', 'sharded locks', 'no run cache'];

  it.each(variants)('%s allocates and frees, and lets its locks go', (variant) => {
    const locks = new Int32Array(lockWords);
    const { source, kind, allocator } = openOurs(options, variant, locks);
    for (const sizeBytes of [64, 8192]) {
      const ref = source.allocate(kind, sizeBytes);
      expect(allocator.isLive(ref)).toBe(true);
      source.free(ref, kind);
      expect(() => source.free(ref, kind)).toThrow(String(ref));
    }
    expect(allocator.cache.pages).toBe(variant === 'global lock' ? 2 : 0);
    expect(locks.every((word) => word === 0)).toBe(true);
  });
});
