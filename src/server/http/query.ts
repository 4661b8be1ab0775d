/** Request targets: path segments and query parameters, decoded strictly. */

import { fail } from '../../errors.ts';
import {
  checkName,
  checkValue,
  show,
  type BooleanSchema,
  type IntegerSchema,
  type ListSchema,
  type StringSchema,
} from './schema.ts';

export interface QueryParameter {
  readonly name: string;
  readonly schema: StringSchema | IntegerSchema | BooleanSchema | ListSchema;
}

/** A request target, still encoded. */
export interface Target {
  readonly path: string;
  readonly query: string;
}

/** Splits a target: origin form, or absolute form, whose authority is ignored. */
export function splitTarget(url: string): Target {
  const scheme = /^https?:\/\/[^/?#]*/i.exec(url);
  const local = scheme === null ? url : url.slice(scheme[0].length);
  const hash = local.indexOf('#');
  const rest = hash < 0 ? local : local.slice(0, hash);
  const mark = rest.indexOf('?');
  return mark < 0
    ? { path: rest || '/', query: '' }
    : { path: rest.slice(0, mark) || '/', query: rest.slice(mark + 1) };
}

/**
 * Decodes a path segment, which is never normalised: `..` and `%2F` are ordinary text of an id.
 * @throws invalid_argument
 */
export function decodeSegment(raw: string, what: string): string {
  const text = decodePercent(raw, what);
  checkName(text, what);
  return text;
}

/** Parameters of one request, checked against those that its route knows. */
export class Query {
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(values: ReadonlyMap<string, unknown>) {
    this.#values = values;
  }

  text(name: string): string | undefined {
    return this.#values.get(name) as string | undefined;
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.#values.get(name);
    return choices.find((choice) => choice === value);
  }

  integer(name: string): number | undefined {
    return this.#values.get(name) as number | undefined;
  }

  flag(name: string): boolean | undefined {
    return this.#values.get(name) as boolean | undefined;
  }

  list(name: string): readonly string[] | undefined {
    return this.#values.get(name) as readonly string[] | undefined;
  }
}

/**
 * @throws invalid_argument for parameters that are unknown, repeated, malformed or out of bounds
 */
export function parseQuery(raw: string, known: readonly QueryParameter[]): Query {
  const values = new Map<string, unknown>();
  for (const pair of raw.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decodeForm(equals < 0 ? pair : pair.slice(0, equals), 'A parameter name');
    const parameter = known.find((candidate) => candidate.name === name);
    if (parameter === undefined) {
      const names = known.map((candidate) => candidate.name).join(', ') || 'none';
      fail('invalid_argument', `Unknown parameter ${show(name)}; known here: ${names}.`);
    }
    if (values.has(name)) fail('invalid_argument', `Parameter ${name} is given twice.`);
    const text = decodeForm(equals < 0 ? '' : pair.slice(equals + 1), `Parameter ${name}`);
    values.set(name, parseValue(parameter, text));
  }
  return new Query(values);
}

function parseValue({ name, schema }: QueryParameter, text: string): unknown {
  const what = `Parameter ${name}`;
  if (schema.type === 'array') return parseList(schema, text, what);
  const value = schema.type === 'string' ? text : parseScalar(schema, text);
  checkValue(schema, value, what);
  return value;
}

/**
 * Numbers and flags as JSON writes them; anything else stays text, which the schema then refuses.
 */
function parseScalar(schema: IntegerSchema | BooleanSchema, text: string): unknown {
  if (schema.type === 'boolean') {
    return text === 'true' ? true : text === 'false' ? false : text;
  }
  return /^\d{1,16}$/.test(text) ? Number(text) : text;
}

/** Elements between commas; `\,` is a comma and `\\` a backslash within an element. */
function parseList(schema: ListSchema, text: string, what: string): readonly string[] {
  const elements: string[] = [''];
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    if (char === ',') {
      elements.push('');
    } else {
      const escaped = char === '\\' && (text[i + 1] === ',' || text[i + 1] === '\\');
      if (escaped) i++;
      elements[elements.length - 1] += text[i] as string;
    }
  }
  checkValue(schema, elements, what);
  return elements;
}

function decodeForm(raw: string, what: string): string {
  return decodePercent(raw.replaceAll('+', ' '), what);
}

/** Node passes bytes above 0x7f of a target as latin1: they must come percent-encoded. */
const unencoded = /[^\u0021-\u007e ]/;

function decodePercent(raw: string, what: string): string {
  if (unencoded.test(raw)) {
    fail('invalid_argument', `${what} has bytes that are not percent-encoded: ${show(raw)}.`);
  }
  try {
    return decodeURIComponent(raw);
  } catch {
    return fail('invalid_argument', `${what} is not percent-encoded UTF-8: ${show(raw)}.`);
  }
}
