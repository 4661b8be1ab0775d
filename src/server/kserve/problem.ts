/** Errors as clients of KServe and Triton know them. */

import type { Problem } from '../http/problem.ts';

export interface KserveError {
  readonly error: string;
}

/** The protocol has a text and nothing else: the code stands at its end. */
export function kserveErrorOf({ code, detail }: Problem): KserveError {
  return { error: `${detail} (${code})` };
}
