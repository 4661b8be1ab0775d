/** Errors as they go from thread to thread. */

import { CenoteError } from '../../../errors.ts';
import type { Failure } from './protocol.ts';

export function failureOf(error: unknown): Failure {
  if (error instanceof CenoteError) return { code: error.code, message: error.message };
  const { message } = error instanceof Error ? error : new Error(String(error));
  return { code: 'engine_failed', message };
}
