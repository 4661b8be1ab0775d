import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import { freshIdentity } from '../../src/memory/identity.ts';
import {
  ownerFree,
  ownerLive,
  ownerSlot,
  ownerWord,
  releaseOwnerSlot,
} from '../../src/memory/owners.ts';
import type { Region, RegionOptions } from '../../src/memory/region.ts';
import { attachSharedRegion, createSharedRegion } from '../../src/memory/shared.ts';

const mib = 2 ** 20;

function create(options: Partial<RegionOptions> = {}): Region {
  return createSharedRegion({ capacityBytes: 16 * mib, ...freshIdentity(), ...options });
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return 'none';
}

describe('createSharedRegion', () => {
  it('makes one segment with a header and a superblock, the rest zero', () => {
    const identity = freshIdentity();
    const region = createSharedRegion({
      capacityBytes: 10 * mib + 70_000,
      ...identity,
      tenantHash: '00112233445566ff',
    });
    expect(region.superblock).toMatchObject({
      ...identity,
      capacityBytes: 10 * mib + 65_536,
      segmentCount: 1,
      segmentShift: 23,
      slabShift: 14,
      ownersMax: 64,
      clean: true,
      epoch: 0,
      tenantHash: '00112233445566ff',
      sequence: 1,
    });
    expect(region.segments.map((segment) => segment.sizeBytes)).toEqual([8 * mib]);
    expect(region.segments[0]?.bytes.subarray(32_768).every((byte) => byte === 0)).toBe(true);
    expect(region.ownerSlot).toBe(0);
    expect(region.bootId).toMatch(/^[0-9a-f]{32}$/);
  });

  it('refuses bad options', () => {
    const bad: Partial<RegionOptions>[] = [
      { capacityBytes: 4 * mib - 1 },
      { capacityBytes: Number.NaN },
      { capacityBytes: 2 ** 37 + 1 },
      { segmentBytes: 5 * mib },
      { segmentBytes: 2 ** 31 },
      { ownersMax: 0 },
      { ownersMax: 65 },
      { ownersMax: 1.5 },
      { poolUuid: 'ABC' },
      { tenantHash: 'x' },
      { createdAtMs: -1 },
      { bootId: '' },
      { maxCapacityBytes: 8 * mib },
    ];
    for (const options of bad)
      expect([options, codeOf(() => create(options))]).toEqual([options, 'invalid_argument']);
  });

  it('costs address space, not memory', () => {
    const before = process.memoryUsage().rss;
    const region = create({ capacityBytes: 4 * 2 ** 30 });
    expect(region.handle).toMatchObject({ type: 'shared', segmentShift: 30 });
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * mib);
  });
});

describe('attachSharedRegion', () => {
  it('takes free owner slots in turn and gives them back', () => {
    const region = create({ ownersMax: 3 });
    const first = attachSharedRegion(region.handle);
    const second = attachSharedRegion(region.handle);
    expect([first.ownerSlot, second.ownerSlot]).toEqual([1, 2]);
    expect(codeOf(() => attachSharedRegion(region.handle))).toBe('too_many_owners');
    first.close();
    first.close();
    expect(attachSharedRegion(region.handle).ownerSlot).toBe(1);
    releaseOwnerSlot(region.segments[0]!.words, 2);
    expect(region.segments[0]!.words[ownerWord(2, ownerSlot.state)]).toBe(ownerFree);
  });

  it('refuses what is not its handle', () => {
    const { handle } = create();
    for (const bad of [
      undefined,
      {},
      { type: 'mapped', path: '/' },
      { ...handle, buffers: [] },
      { ...handle, segmentShift: 99 },
      { ...handle, buffers: [new ArrayBuffer(8)] },
    ]) {
      expect(codeOf(() => attachSharedRegion(bad as never))).toBe('invalid_argument');
    }
    const zeros = {
      type: 'shared',
      segmentShift: 22,
      buffers: [new SharedArrayBuffer(4 * mib)],
    } as const;
    expect(codeOf(() => attachSharedRegion(zeros))).toBe('not_a_pool');
  });

  it('shares words and slots with a worker thread', async () => {
    const region = create();
    const worker = new Worker(new URL('./fixtures/attach-worker.mjs', import.meta.url), {
      workerData: region.handle,
    });
    const slot = await new Promise<number>((resolve, reject) =>
      worker.once('message', resolve).once('error', reject),
    );
    const words = region.segments[0]!.words;
    expect(slot).toBe(1);
    expect(words[ownerWord(1, ownerSlot.state)]).toBe(ownerLive);
    expect(words[ownerWord(1, ownerSlot.pid)]).toBe(process.pid);
    expect(words[ownerWord(1, ownerSlot.tid)]).toBe(worker.threadId);
    expect(words[100_000]).toBe(4711);
    await worker.terminate();
  });
});

describe('errors', () => {
  it('carry a code', () => {
    try {
      create({ capacityBytes: 0 });
    } catch (error) {
      expect(hasCode(error, 'invalid_argument')).toBe(true);
    }
  });
});
