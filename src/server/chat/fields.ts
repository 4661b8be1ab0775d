/** Fields of OpenAI's requests, read one by one: they have unions, nulls and fractions that the schemas of our own routes do without. */

import { fail } from '../../errors.ts';
import { show } from '../http/schema.ts';

export type Fields = Readonly<Record<string, unknown>>;

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** @throws invalid_argument unless `value` is an object with no other fields than these */
export function readFields(value: unknown, what: string, known?: ReadonlySet<string>): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fail('invalid_argument', `${what} must be a JSON object; got ${show(value)}.`);
  }
  const unknown = Object.keys(value).find((name) => known !== undefined && !known.has(name));
  if (unknown !== undefined) {
    fail('invalid_argument', `${what} has the field ${show(unknown)}, which is not known here.`);
  }
  return value as Fields;
}

/** A field that is absent, or null, which clients send for the same. */
function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

/** @throws invalid_argument */
export function numberOf(fields: Fields, name: string, { min, max }: Range): number | undefined {
  const value = fields[name];
  if (isAbsent(value)) return undefined;
  if (typeof value !== 'number' || !(value >= min && value <= max)) {
    fail('invalid_argument', `${name} must be a number from ${min} to ${max}; got ${show(value)}.`);
  }
  return value;
}

/** @throws invalid_argument */
export function integerOf(fields: Fields, name: string, range: Range): number | undefined {
  const value = numberOf(fields, name, range);
  if (value !== undefined && !Number.isInteger(value)) {
    fail('invalid_argument', `${name} must be a whole number; got ${show(value)}.`);
  }
  return value;
}

/** @throws invalid_argument */
export function booleanOf(fields: Fields, name: string): boolean | undefined {
  const value = fields[name];
  if (isAbsent(value)) return undefined;
  if (typeof value !== 'boolean') {
    fail('invalid_argument', `${name} must be true or false; got ${show(value)}.`);
  }
  return value;
}

/** @throws invalid_argument */
export function textOf(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (isAbsent(value)) return undefined;
  if (typeof value !== 'string') {
    fail('invalid_argument', `${name} must be a string; got ${show(value)}.`);
  }
  return value;
}

/** A text, or a list of them. @throws invalid_argument */
export function textsOf(fields: Fields, name: string, max: number): readonly string[] | undefined {
  const value = fields[name];
  if (isAbsent(value)) return undefined;
  const texts: unknown[] = Array.isArray(value) ? value : [value];
  if (texts.length > max || !texts.every((text) => typeof text === 'string' && text !== '')) {
    fail(
      'invalid_argument',
      `${name} must be a string, or at most ${max} of them, none empty; got ${show(value)}.`,
    );
  }
  return texts as readonly string[];
}

/**
 * A field that asks for what is not done here, unless it has the value that asks for nothing.
 *
 * @throws invalid_argument
 */
export function refuseUnless(
  fields: Fields,
  name: string,
  isHarmless: (value: unknown) => boolean,
): void {
  const value = fields[name];
  if (isAbsent(value) || isHarmless(value)) return;
  fail('invalid_argument', `${name} ${show(value)} is not supported here.`);
}
