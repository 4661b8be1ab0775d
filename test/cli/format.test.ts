import { describe, expect, it } from 'vitest';
import {
  bar,
  formatBytes,
  formatCount,
  formatDuration,
  formatShare,
  formatShortCount,
  parseBytes,
  parseInteger,
  sparkline,
} from '../../src/cli/format.ts';
import { hasCode } from '../../src/errors.ts';
import { fc } from '../support/properties.ts';

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (hasCode(error, 'invalid_argument')) return error.message;
    throw error;
  }
  return 'nothing was thrown';
}

describe('parseBytes', () => {
  it.each([
    ['0', 0],
    ['4096', 4096],
    ['512b', 512],
    ['1k', 1024],
    ['512m', 512 * 2 ** 20],
    ['2GiB', 2 ** 31],
    ['2gib', 2 ** 31],
    ['2 Gi', 2 ** 31],
    [' 1.5 GiB ', 1.5 * 2 ** 30],
    ['1.5GB', 1_500_000_000],
    ['1e9', 1_000_000_000],
    ['64KB', 64_000],
    ['1T', 2 ** 40],
    ['1tb', 1e12],
  ])('reads %j as %d', (text, bytes) => {
    expect(parseBytes(text, '--capacity')).toBe(bytes);
  });

  it.each([
    '',
    'x',
    '-1',
    '1.',
    '.5m',
    '2 GiBs',
    '0x10',
    '1e',
    '1e-3',
    'NaN',
    'Infinity',
    '1,000',
    '0.3',
    '9e15k',
    '1e999',
  ])('refuses %j and names the setting', (text) => {
    expect(codeOf(() => parseBytes(text, '--capacity'))).toContain(
      `--capacity '${text}' is not a `,
    );
  });

  it('reads what formatBytes writes, within its three digits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 49 }), (bytes) => {
        const text = formatBytes(bytes);
        const [number, unit] = text.split(' ') as [string, string];
        // The digits that were cut would make a fraction of a byte: whole KiB of the next unit down are compared.
        const factor = parseBytes(`1${unit}`, 'unit');
        expect(Math.abs(Number(number) * factor - bytes)).toBeLessThanOrEqual(bytes * 0.005 + 0.5);
      }),
    );
  });
});

describe('parseInteger', () => {
  it('takes whole numbers within bounds', () => {
    expect(parseInteger('8080', '--http', 0, 65535)).toBe(8080);
    expect(parseInteger('0', '--http', 0, 65535)).toBe(0);
  });

  it.each(['', '-1', '65536', '80.5', '8e3', '0x50', 'http'])('refuses %j', (text) => {
    const message = `--http '${text}' is not a whole number from 0 to 65535`;
    expect(codeOf(() => parseInteger(text, '--http', 0, 65535))).toBe(message);
  });
});

describe('formatting', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [10_234, '9.99 KiB'],
    [10_240, '10.0 KiB'],
    [1_047_552, '1023 KiB'],
    [1_048_575, '1.00 MiB'],
    [2 ** 31, '2.00 GiB'],
    [2 ** 49, '512 TiB'],
    [2 ** 53, '8.00 PiB'],
  ])('formatBytes(%d) is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it.each([
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [1_234_567, '1,234,567'],
  ])('formatCount(%d) is %s', (count, text) => {
    expect(formatCount(count)).toBe(text);
  });

  it.each([
    [0, '0'],
    [0.25, '0.3'],
    [12, '12'],
    [12.34, '12.3'],
    [999.4, '999'],
    [999.5, '1.00 k'],
    [12_345, '12.3 k'],
    [4_560_000, '4.56 M'],
  ])('formatShortCount(%d) is %s', (count, text) => {
    expect(formatShortCount(count)).toBe(text);
  });

  it.each([
    [0.42, '0.4 ms'],
    [85, '85 ms'],
    [999.6, '1.0 s'],
    [59_949, '59.9 s'],
    [59_951, '1 m 00 s'],
    [187_000, '3 m 07 s'],
    [7_500_000, '2 h 05 m'],
    [86_399_000, '1 d 00 h'],
    [356_400_000, '4 d 03 h'],
  ])('formatDuration(%d) is %s', (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });

  it.each([
    [0, 0, '–'],
    [0, 5, '0 %'],
    [1, 3, '33.3 %'],
    [9999, 10_000, '100 %'],
    [5, 5, '100 %'],
  ])('formatShare(%d, %d) is %s', (part, whole, text) => {
    expect(formatShare(part, whole)).toBe(text);
  });
});

describe('bars', () => {
  it('fills in eighths', () => {
    expect(bar(0.5, 4)).toBe('██  ');
    expect(bar(1 / 16, 2)).toBe('▏ ');
    expect(bar(0, 3, '·')).toBe('···');
    expect(bar(2, 3)).toBe('███');
    expect(bar(Number.NaN, 3)).toBe('   ');
  });

  it('is exactly as wide as asked for, whatever the share', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1, max: 2, noNaN: true }),
        fc.integer({ min: 0, max: 60 }),
        (share, width) => {
          expect([...bar(share, width)]).toHaveLength(width);
        },
      ),
    );
  });

  it('scales sparklines to the largest value', () => {
    expect(sparkline([0, 1, 2, 4, 8])).toBe('▁▂▃▅█');
    expect(sparkline([0, 0])).toBe('▁▁');
    expect(sparkline([])).toBe('');
  });
});
