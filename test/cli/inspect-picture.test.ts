import { describe, expect, it } from 'vitest';
import { mapCellsMax } from '../../src/alloc/memory-map.ts';
import {
  colourPalette,
  plainPalette,
  stripAnsi,
  visibleWidth,
  type Palette,
} from '../../src/cli/ansi.ts';
import { mapLines, mapTitle, stackedBar } from '../../src/cli/inspect/map.ts';
import { render, type InspectView } from '../../src/cli/inspect/render.ts';
import { ratesBetween } from '../../src/cli/inspect/rates.ts';
import { sampleMap, sampleRates, sampleStats } from './support/stats.ts';

const history = Array.from({ length: 200 }, (_, index) => 1000 + 800 * Math.sin(index / 9));

const view: InspectView = {
  path: './data/tenants/default',
  stats: sampleStats(),
  map: sampleMap,
  rates: sampleRates,
  history,
  status: 'every 1 s · space holds · q quits',
};

function picture(
  width: number,
  height: number | undefined,
  paint: Palette,
  shown: InspectView = view,
): string {
  return `${render(shown, width, height, paint).join('\n')}\n`;
}

describe('the picture of a pool', () => {
  it.each([
    [60, 48],
    [80, 24],
    [80, 40],
    [100, 30],
    [140, 36],
  ])('at %d × %d', async (width, height) => {
    const text = picture(width, height, plainPalette);
    await expect(text).toMatchFileSnapshot(`pictures/inspect-${width}x${height}.txt`);
  });

  it('in colour', async () => {
    await expect(picture(80, 40, colourPalette)).toMatchFileSnapshot(
      'pictures/inspect-80x40-colour.ansi',
    );
  });

  it('printed once: no rates, no status, as many rows as it needs', async () => {
    const once = { ...view, rates: undefined, history: [], status: '' };
    await expect(picture(80, undefined, plainPalette, once)).toMatchFileSnapshot(
      'pictures/inspect-once.txt',
    );
  });

  it('of an empty pool', async () => {
    const nothing = { usedBytes: 0, liveBytes: 0, liveBlocks: 0 };
    const tier = { runs: 0, liveBlocks: 0, liveBytes: 0, usedBytes: 0 };
    const { memory, operations } = sampleStats();
    const stats = sampleStats({
      contexts: 0,
      parts: 0,
      pinnedParts: 0,
      retiredParts: 0,
      partBytes: 0,
      segments: 1,
      memory: {
        ...memory,
        usedBytes: 0,
        liveBytes: 0,
        kinds: [nothing, nothing, nothing, nothing, nothing],
        tiers: { l1: tier, l2: tier, l3: tier },
      },
      operations: Object.fromEntries(
        Object.keys(operations).map((name) => [name, 0]),
      ) as typeof operations,
    });
    const map = (cells: number): { kind: number; fill: number }[] =>
      Array.from({ length: cells }, () => ({ kind: -1, fill: 0 }));
    const shown = { ...view, stats, map, rates: undefined, history: [] };
    await expect(picture(80, 40, plainPalette, shown)).toMatchFileSnapshot(
      'pictures/inspect-empty.txt',
    );
  });

  it('never asks for more cells than a map has', () => {
    const map = (cells: number): ReturnType<typeof sampleMap> => {
      expect(cells).toBeLessThanOrEqual(mapCellsMax);
      return sampleMap(cells);
    };
    expect(render({ ...view, map }, 600, 400, colourPalette).length).toBeLessThanOrEqual(400);
  });

  it('never exceeds the terminal, whatever its size', () => {
    for (let width = 1; width <= 240; width += 7) {
      for (let height = 1; height <= 80; height += 5) {
        const lines = render(view, width, height, colourPalette);
        expect(lines.length).toBeLessThanOrEqual(height);
        for (const line of lines) expect(visibleWidth(line)).toBeLessThanOrEqual(width);
      }
    }
  });

  it('shows a path that holds control characters harmlessly', () => {
    const lines = render({ ...view, path: './a\x1b[2Jb' }, 80, 40, plainPalette);
    expect(lines[0]).toContain('./a\\x1b[2Jb');
  });
});

describe('the memory map', () => {
  const cells = [
    { kind: -2, fill: 1 },
    { kind: 0, fill: 0.1 },
    { kind: 0, fill: 0.6 },
    { kind: 1, fill: 1 },
    { kind: -1, fill: 0 },
  ];

  it('shades by fill and colours by kind, one sequence per stretch', () => {
    const [line] = mapLines(cells, 5, colourPalette);
    expect(stripAnsi(line as string)).toBe('▚░▓█·');
    expect((line as string).match(/\x1b\[38;5;\d+m/g)).toHaveLength(2);
  });

  it('uses letters where there are no colours', () => {
    expect(mapLines(cells, 3, plainPalette)).toEqual(['▚mM', 'T·']);
  });

  it('says what a cell is and what the characters mean', () => {
    expect(mapTitle(65_536, plainPalette)).toBe(
      'memory map  one cell is 64.0 KiB   small: under half full   ▚ allocator   · free',
    );
    expect(visibleWidth(mapTitle(65_536, colourPalette))).toBeLessThan(78);
  });

  it('shows each kind in the capacity bar that holds anything', () => {
    const text = stackedBar(sampleStats({ capacityBytes: 64 * 2 ** 30 }), 40, plainPalette);
    expect([...text]).toHaveLength(40);
    expect(text).toMatch(/^MTEAB·+$/);
  });
});

describe('rates', () => {
  it('are differences over time', () => {
    const before = sampleStats();
    const after = sampleStats({
      operations: { ...before.operations, gets: before.operations.gets + 500, puts: 10 },
    });
    const rates = ratesBetween(before, after, 2000);
    expect(rates.gets).toBe(250);
    expect(rates.hits).toBe(0);
    // The counter fell: the pool was made anew in between.
    expect(rates.puts).toBe(5);
    expect(ratesBetween(before, after, 0).gets).toBe(0);
  });
});
