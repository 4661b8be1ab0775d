/** What tests of the block cache share. */

import { CenoteError, type ErrorCode } from '../../src/errors.ts';

/** Tokens from, from + 1, … to − 1. */
export function range(from: number, to: number): Int32Array {
  return Int32Array.from({ length: to - from }, (_, i) => from + i);
}

/** The code of the error that `action` throws; undefined when it throws none. */
export function codeOf(action: () => unknown): ErrorCode | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof CenoteError) return error.code;
    throw error;
  }
}
