/** Limits of a wire: named numbers with defaults, some of which the user replaces. */

import { fail } from '../errors.ts';

/** Largest value of any limit: bytes are counted in doubles, a timer in 31 bits. */
const maxLimit = 2 ** 40;
const maxTimerMs = 2 ** 31 - 1;

/** Fills in the defaults. @throws invalid_argument */
export function withDefaults<T extends { readonly [K in keyof T]: number }>(
  defaults: T,
  given: Partial<T>,
): T {
  for (const [name, value] of Object.entries<number | undefined>(given)) {
    if (!Object.hasOwn(defaults, name)) {
      fail('invalid_argument', `Unknown limit ${JSON.stringify(name)}.`);
    }
    const max = name.endsWith('Ms') ? maxTimerMs : maxLimit;
    if (value === undefined || !Number.isInteger(value) || value < 1 || value > max) {
      fail(
        'invalid_argument',
        `Limit ${name} must be a whole number from 1 to ${max}; got ${value}.`,
      );
    }
  }
  return { ...defaults, ...given };
}
