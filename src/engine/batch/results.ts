/** What a model made of a batch. */

import { show } from '../../base/show.ts';
import { CenoteError } from '../../errors.ts';

/** @returns as many answers as expected, or the Error that all members have */
export async function resultsOf<O>(
  execute: () => Promise<readonly (O | Error)[]>,
  expected: number,
): Promise<readonly (O | Error)[] | Error> {
  try {
    const results = await execute();
    if (results.length === expected) return results;
    const told = `${results.length} answers to a batch of ${expected}`;
    return new CenoteError('engine_failed', `The model gave ${told}.`);
  } catch (error) {
    return asError(error);
  }
}

/** Whatever was thrown, as an Error. */
export function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  return new CenoteError('engine_failed', `The model failed: ${show(thrown)}.`);
}
