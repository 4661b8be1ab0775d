/** Bytes, counts, durations and bars as people read and type them. Pure. */

import { fail } from '../errors.ts';

const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  ki: 2 ** 10,
  kib: 2 ** 10,
  kb: 1e3,
  m: 2 ** 20,
  mi: 2 ** 20,
  mib: 2 ** 20,
  mb: 1e6,
  g: 2 ** 30,
  gi: 2 ** 30,
  gib: 2 ** 30,
  gb: 1e9,
  t: 2 ** 40,
  ti: 2 ** 40,
  tib: 2 ** 40,
  tb: 1e12,
};

/**
 * Bytes from `2GiB`, `512m`, `1.5 GB`, `1e9` or `4096`. A bare letter and `KiB` count in 1,024, `KB` in 1,000, in any case of
 * letters. `what` names the setting in the error.
 * @throws invalid_argument when it is not a size, is negative, or not a whole number of bytes below 2^53
 */
export function parseBytes(text: string, what: string): number {
  const match = /^(\d+(?:\.\d+)?(?:e\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = match === null ? undefined : byteUnits[(match[2] as string).toLowerCase()];
  if (match === null || unit === undefined) {
    fail('invalid_argument', `${what} '${text}' is not a size: write it like 512m, 2GiB or 1e9`);
  }
  const bytes = Number(match[1]) * unit;
  if (!Number.isSafeInteger(bytes)) {
    fail('invalid_argument', `${what} '${text}' is not a whole number of bytes below 2^53`);
  }
  return bytes;
}

/**
 * A whole number between `min` and `max`.
 * @throws invalid_argument
 */
export function parseInteger(text: string, what: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text.trim()) ? Number(text) : -1;
  if (value < min || value > max) {
    fail('invalid_argument', `${what} '${text}' is not a whole number from ${min} to ${max}`);
  }
  return value;
}

const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Bytes with three significant digits: `0 B`, `1.50 KiB`, `64.0 MiB`, `1023 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < binaryUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? String(Math.round(value)) : threeDigits(value)} ${binaryUnits[unit]}`;
}

function threeDigits(value: number): string {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/** `1,234,567`. Written here so that it does not depend on the locale of the machine. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A count in little room: `999`, `12.3 k`, `4.56 M`. */
export function formatShortCount(count: number): string {
  if (count < 999.5)
    return count >= 100 || Number.isInteger(count) ? count.toFixed(0) : count.toFixed(1);
  const units = ['k', 'M', 'G', 'T', 'P'] as const;
  let value = count / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${threeDigits(value)} ${units[unit]}`;
}

/** `0.4 ms`, `85 ms`, `1.2 s`, `3 m 07 s`, `2 h 05 m`, `4 d 03 h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 9.95) return `${durationMs.toFixed(1)} ms`;
  if (durationMs < 999.5) return `${durationMs.toFixed(0)} ms`;
  if (durationMs < 59_950) return `${(durationMs / 1000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${twoDigits(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} m`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${twoDigits(hours % 24)} h`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** A share of a whole: `0 %`, `0.3 %`, `97.4 %`, `100 %`; `–` when the whole is 0. */
export function formatShare(part: number, whole: number): string {
  if (whole <= 0) return '–';
  const percent = (100 * part) / whole;
  if (percent === 0 || percent >= 99.95) return `${percent.toFixed(0)} %`;
  return `${percent.toFixed(1)} %`;
}

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** A bar of exactly `width` characters, filled in eighths of a character. `share` is clamped to 0…1. */
export function bar(share: number, width: number, empty = ' '): string {
  const clamped = Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0));
  const steps = Math.round(clamped * width * 8);
  const tip = eighths[steps % 8] as string;
  const filled = '█'.repeat(Math.floor(steps / 8)) + tip;
  return filled + empty.repeat(width - Math.floor(steps / 8) - tip.length);
}

const sparkLevels = '▁▂▃▄▅▆▇█';

/** One character per value, scaled to the largest. */
export function sparkline(values: readonly number[]): string {
  const top = Math.max(...values, 0);
  return values
    .map((value) => sparkLevels[top === 0 ? 0 : Math.round((Math.max(0, value) / top) * 7)])
    .join('');
}
