/**
 * The part of JSON Schema that requests are described in. One description serves both the OpenAPI
 * document and the check of what arrives, so that they cannot differ.
 */

import { fail } from '../../errors.ts';
import { nameMaxBytes } from '../../store/keys.ts';

export interface StringSchema {
  readonly type: 'string';
  readonly description?: string;
  readonly enum?: readonly string[];
  /** `name`: 1–512 bytes of UTF-8. */
  readonly format?: 'name';
}

export interface IntegerSchema {
  readonly type: 'integer' | readonly ['integer', 'null'];
  readonly description?: string;
  readonly minimum: number;
  readonly maximum: number;
}

export interface BooleanSchema {
  readonly type: 'boolean';
  readonly description?: string;
}

export interface ListSchema {
  readonly type: 'array';
  readonly description?: string;
  readonly items: StringSchema;
  readonly minItems: number;
  readonly maxItems: number;
}

export interface ObjectListSchema {
  readonly type: 'array';
  readonly description?: string;
  readonly items: ObjectSchema;
  readonly minItems: number;
  readonly maxItems: number;
}

export type ScalarSchema = StringSchema | IntegerSchema | BooleanSchema;
export type ValueSchema = ScalarSchema | ListSchema | ObjectListSchema;

export interface ObjectSchema {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, ValueSchema>>;
  readonly required: readonly string[];
  readonly additionalProperties: false;
}

export const nameSchema: StringSchema = {
  type: 'string',
  format: 'name',
  description: `1–${nameMaxBytes} bytes of UTF-8.`,
};

/** @throws invalid_argument unless `text` is 1–512 bytes of well-formed text */
export function checkName(text: string, what: string): void {
  const wellFormed = text.length <= nameMaxBytes && text.isWellFormed();
  if (text.length === 0 || !wellFormed || Buffer.byteLength(text) > nameMaxBytes) {
    fail(
      'invalid_argument',
      `${what} must be 1 to ${nameMaxBytes} bytes of UTF-8; got ${show(text)}.`,
    );
  }
}

/** @throws invalid_argument unless `value` is what `schema` describes */
export function checkValue(schema: ValueSchema, value: unknown, what: string): void {
  if (schema.type === 'string') {
    checkText(schema, value, what);
  } else if (schema.type === 'boolean') {
    if (typeof value !== 'boolean') {
      fail('invalid_argument', `${what} must be true or false; got ${show(value)}.`);
    }
  } else if (schema.type === 'array') {
    checkList(schema, value, what);
  } else {
    checkInteger(schema, value, what);
  }
}

function checkList(schema: ListSchema | ObjectListSchema, value: unknown, what: string): void {
  const { items, minItems, maxItems } = schema;
  if (!Array.isArray(value)) fail('invalid_argument', `${what} must be an array.`);
  if (value.length < minItems || value.length > maxItems) {
    fail(
      'invalid_argument',
      `${what} takes ${minItems} to ${maxItems} elements; got ${value.length}.`,
    );
  }
  for (const element of value as readonly unknown[]) {
    if (items.type === 'object') checkObject(items, element, `An element of ${what}`);
    else checkValue(items, element, `An element of ${what}`);
  }
}

/** @throws invalid_argument unless `value` is an object with these properties */
export function checkObject(
  schema: ObjectSchema,
  value: unknown,
  what = 'The body',
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fail('invalid_argument', `${what} must be a JSON object; got ${show(value)}.`);
  }
  const fields = new Map<string, unknown>(Object.entries(value));
  for (const [name, field] of fields) {
    const known = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    if (known === undefined) {
      const names = Object.keys(schema.properties).join(', ');
      fail('invalid_argument', `Unknown property ${show(name)}; known are ${names}.`);
    }
    checkValue(known, field, `Property ${name}`);
  }
  for (const name of schema.required) {
    if (!fields.has(name)) fail('invalid_argument', `Property ${name} is missing.`);
  }
  return Object.fromEntries(fields);
}

/** A value as error messages quote it: short, on one line. */
export function show(value: unknown): string {
  const text = jsonOf(value) ?? String(value);
  return text.length <= 80 ? text : `${text.slice(0, 77)}…`;
}

/** What can be read as JSON may be nested too deeply to be written again. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof RangeError) return Array.isArray(value) ? '[…]' : '{…}';
    throw error;
  }
}

function checkText(schema: StringSchema, value: unknown, what: string): void {
  if (typeof value !== 'string') {
    fail('invalid_argument', `${what} must be a string; got ${show(value)}.`);
  }
  if (schema.format === 'name') checkName(value, what);
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    fail(
      'invalid_argument',
      `${what} must be one of ${schema.enum.join(', ')}; got ${show(value)}.`,
    );
  }
}

function checkInteger(schema: IntegerSchema, value: unknown, what: string): void {
  if (value === null && schema.type !== 'integer') return;
  const { minimum, maximum } = schema;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < minimum || value > maximum) {
    fail(
      'invalid_argument',
      `${what} must be a whole number from ${minimum} to ${maximum}; got ${show(value)}.`,
    );
  }
}
