/**
 * Byte ranges (RFC 9110, 14). One range is served; what is malformed or several is ignored, as the
 * RFC allows.
 */

import { Refusal } from './problem.ts';

/** Bytes [start, end). */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

const oneRange = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/**
 * The range that `header` asks for of `sizeBytes`; undefined when all of it is to be sent.
 * @throws range_not_satisfiable, with Content-Range
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  const match = header === undefined ? null : oneRange.exec(header);
  const [, first = '', last = ''] = match ?? [];
  if (match === null || (first === '' && last === '')) return undefined;
  if (first === '') {
    const wanted = Number(last);
    if (wanted === 0 || sizeBytes === 0) unsatisfiable(header, sizeBytes);
    return { start: Math.max(0, sizeBytes - wanted), end: sizeBytes };
  }
  const start = Number(first);
  const lastIncluded = last === '' ? Infinity : Number(last);
  if (lastIncluded < start) return undefined;
  if (start >= sizeBytes) unsatisfiable(header, sizeBytes);
  return { start, end: Math.min(lastIncluded + 1, sizeBytes) };
}

export function contentRange({ start, end }: ByteRange, sizeBytes: number): string {
  return `bytes ${start}-${end - 1}/${sizeBytes}`;
}

function unsatisfiable(header: string | undefined, sizeBytes: number): never {
  throw new Refusal('range_not_satisfiable', `Range ${header} is outside of ${sizeBytes} bytes.`, {
    'Content-Range': `bytes */${sizeBytes}`,
  });
}
