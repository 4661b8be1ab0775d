import { describe, expect, it } from 'vitest';
import {
  colourPalette,
  fit,
  padEnd,
  padStart,
  palette,
  plainPalette,
  printable,
  stripAnsi,
  visibleWidth,
} from '../../src/cli/ansi.ts';
import { Progress, progressLine } from '../../src/cli/progress.ts';
import { suggest } from '../../src/cli/suggest.ts';
import { table } from '../../src/cli/table.ts';
import { TestClock, TextOutput } from './support/text-io.ts';

describe('colours', () => {
  it('follow NO_COLOR, FORCE_COLOR, TERM and the terminal', () => {
    expect(palette(true, {})).toBe(colourPalette);
    expect(palette(false, {})).toBe(plainPalette);
    expect(palette(true, { NO_COLOR: '1' })).toBe(plainPalette);
    expect(palette(true, { NO_COLOR: '' })).toBe(colourPalette);
    expect(palette(true, { NO_COLOR: '1', FORCE_COLOR: '1' })).toBe(plainPalette);
    expect(palette(false, { FORCE_COLOR: '1' })).toBe(colourPalette);
    expect(palette(false, { FORCE_COLOR: '0' })).toBe(plainPalette);
    expect(palette(true, { TERM: 'dumb' })).toBe(plainPalette);
  });

  it('do not count as columns', () => {
    const text = `${colourPalette.red('ab')}c`;
    expect(stripAnsi(text)).toBe('abc');
    expect(visibleWidth(text)).toBe(3);
    expect(visibleWidth(padEnd(text, 5))).toBe(5);
    expect(stripAnsi(padStart(text, 5))).toBe('  abc');
  });

  it('survive a cut whole, and end there', () => {
    const text = `${colourPalette.red('abc')}${colourPalette.green('def')}`;
    expect(fit(text, 6)).toBe(text);
    expect(stripAnsi(fit(text, 5))).toBe('abcd…');
    expect(fit(text, 5)).toMatch(/\x1b\[0m$/);
    expect(fit('abcdef', 3)).toBe('ab…');
    expect(fit('abcdef', 0)).toBe('');
  });

  it('cannot be smuggled in from outside', () => {
    expect(printable('a\x1b[2Jb\u009bc\n')).toBe('a\\x1b[2Jb\\x9bc\\x0a');
  });
});

describe('tables', () => {
  it('align numbers right and names left', () => {
    const columns = [
      { title: 'kind', align: 'left' },
      { title: 'bytes', align: 'right' },
    ] as const;
    expect(
      table(
        columns,
        [
          ['tokens', '12'],
          ['blob', '1,234'],
        ],
        plainPalette,
      ),
    ).toEqual(['kind    bytes', 'tokens     12', 'blob    1,234']);
  });
});

describe('suggestions', () => {
  const known = ['serve', 'inspect', 'check', 'snapshot', 'restore', 'bench'];

  it.each([
    ['serv', 'serve'],
    ['srve', 'serve'],
    ['sreve', 'serve'],
    ['CHECK', 'check'],
    ['insp', 'inspect'],
    ['snapshto', 'snapshot'],
    ['restor', 'restore'],
  ])('for %s: %s', (word, meant) => {
    expect(suggest(word, known)).toBe(meant);
  });

  it.each(['', 'x', 'frobnicate', 'checkcheckcheckcheckcheckcheckcheck'])('none for %j', (word) => {
    expect(suggest(word, known)).toBeUndefined();
  });
});

describe('progress', () => {
  const mib = 2 ** 20;

  function started(isTTY: boolean): { output: TextOutput; clock: TestClock; progress: Progress } {
    const output = new TextOutput({ isTTY, columns: 80 });
    const clock = new TestClock();
    return {
      output,
      clock,
      progress: new Progress({ label: 'snapshot', output, paint: plainPalette, clock }),
    };
  }

  it('writes amounts, rate and time left', () => {
    const state = { done: 1200 * mib, total: 2550 * mib, elapsedMs: 1200, perSecond: 1000 * mib };
    const line = progressLine('snapshot', state, 80, plainPalette, (bytes) => `${bytes / mib} MiB`);
    expect(line).toMatch(
      /^snapshot █+[^█]?·+ {2}47\.1 %  1200 MiB of 2550 MiB  1000 MiB\/s  1\.4 s left$/,
    );
    expect(visibleWidth(line)).toBeLessThanOrEqual(80);
    expect(
      visibleWidth(progressLine('snapshot', state, 30, plainPalette, String)),
    ).toBeLessThanOrEqual(30);
  });

  it('redraws one line of a terminal, ten times a second at most', () => {
    const { output, clock, progress } = started(true);
    for (let done = 0; done <= 1000; done++) {
      progress.update(done * mib, 1000 * mib);
      clock.advance(2);
    }
    progress.finish();
    const frames = output.text.split('\r').slice(1);
    expect(frames.length).toBe(22);
    expect(output.text.match(/\n/g)).toHaveLength(1);
    expect(frames[10]).toContain('500 MiB/s');
    expect(frames[10]).toMatch(/1\.\d s left/);
    expect(frames.at(-1)).toContain('100 %  1000 MiB of 1000 MiB  500 MiB/s  in 2.0 s');
    for (const frame of frames) expect(visibleWidth(frame.trimEnd())).toBeLessThan(80);
  });

  it('prints a few plain lines where there is no terminal', () => {
    const { output, clock, progress } = started(false);
    for (let done = 0; done <= 1000; done++) {
      progress.update(done, 1000);
      clock.advance(20);
    }
    progress.finish();
    expect(output.text).not.toMatch(/[\r\x1b]/);
    const lines = output.text.trimEnd().split('\n');
    expect(lines).toHaveLength(10);
    expect(lines.at(-1)).toContain('100 %');
  });

  it('says nothing of a rate before there is one, and 100 % of nothing', () => {
    const { output, progress } = started(true);
    progress.update(0, 0);
    expect(output.text).toContain('100 %  0 B of 0 B  in 0.0 ms');
    expect(output.text).not.toContain('/s');
  });

  it('clears its line for an error', () => {
    const { output, progress } = started(true);
    progress.update(1, 2);
    progress.clear();
    expect(output.text.endsWith('\r\x1b[K')).toBe(true);
  });
});
