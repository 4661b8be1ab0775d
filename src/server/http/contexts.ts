/** Handlers of whole contexts, and of what concerns many. */

import { fail } from '../../errors.ts';
import type { ContextInfo, Hint, ListOptions, PartInfo } from '../../pool/api.ts';
import { stopReasons } from '../../store/hints.ts';
import { readJson } from './body.ts';
import { isConditional } from './etag.ts';
import type { PoolExchange } from './exchange.ts';
import { maxTtlMs } from './parameters.ts';
import { nameSchema, type ObjectSchema } from './schema.ts';
import { sendJson } from './send.ts';

/** Most contexts of one page. */
export const maxListed = 10_000;
const defaultListed = 1_000;

/** Most parts of one page of contexts, all of them together: a page is made in one go, and others wait. */
const listedPartsMax = 10_000;
/** Most parts told of one of its contexts; `partCount` says how many there are. */
const listedPartsEach = 100;

export const expireSchema: ObjectSchema = {
  type: 'object',
  properties: {
    ttlMs: {
      type: ['integer', 'null'],
      minimum: 1,
      maximum: maxTtlMs,
      description: 'Milliseconds from now; null: never.',
    },
    part: nameSchema,
  },
  required: ['ttlMs'],
  additionalProperties: false,
};

export const pinSchema: ObjectSchema = {
  type: 'object',
  properties: { part: nameSchema },
  required: [],
  additionalProperties: false,
};

export const hintSchema: ObjectSchema = {
  type: 'object',
  properties: {
    closed: { type: 'boolean', description: 'The session is over.' },
    toolPending: {
      type: 'boolean',
      description: 'A tool call is running: the session will return.',
    },
    stop: { type: 'string', enum: stopReasons, description: 'Why the model stopped.' },
  },
  required: [],
  additionalProperties: false,
};

export const invalidateSchema: ObjectSchema = {
  type: 'object',
  properties: { tag: nameSchema },
  required: ['tag'],
  additionalProperties: false,
};

/** One page of contexts; `next`, when present, is the `after` of the next page. */
export function listContexts(exchange: PoolExchange): void {
  const { pool, query } = exchange;
  const limit = query.integer('limit') ?? defaultListed;
  const prefix = query.text('prefix');
  const after = query.text('after');
  const options: ListOptions = {
    limit,
    partsLimit: Math.min(listedPartsEach, Math.floor(listedPartsMax / limit)),
    ...(prefix !== undefined && { prefix }),
    ...(after !== undefined && { after }),
  };
  const contexts = pool.list(options);
  const last = contexts.at(-1);
  const next = last !== undefined && contexts.length === limit ? { next: last.id } : {};
  sendJson(exchange, 200, { contexts: contexts.map(contextJson), ...next });
}

/** Parts in the order of their names, a page at a time; `partCount` says how many there are. */
export function describeContext(exchange: PoolExchange): void {
  const { pool, id, query } = exchange;
  const limit = query.integer('limit') ?? defaultListed;
  const after = query.text('after');
  const context =
    pool.context(id, { limit, ...(after !== undefined && { after }) }) ?? notFound(id);
  sendJson(exchange, 200, contextJson(context));
}

/** A page of the parts of a context; `next`, when present, is the `after` of the next page. */
export function listParts(exchange: PoolExchange): void {
  const { pool, id, query } = exchange;
  const limit = query.integer('limit') ?? defaultListed;
  const after = query.text('after');
  const { parts, partCount } =
    pool.context(id, { limit, ...(after !== undefined && { after }) }) ?? notFound(id);
  const last = parts.at(-1);
  const next = last !== undefined && parts.length === limit ? { next: last.part } : {};
  sendJson(exchange, 200, { parts: parts.map(partJson), partCount, ...next });
}

export function deleteContext(exchange: PoolExchange): void {
  const { pool, req, id } = exchange;
  if (isConditional(req)) {
    fail(
      'invalid_argument',
      'A context has no version: If-Match and If-None-Match apply to parts.',
    );
  }
  sendJson(exchange, 200, { deleted: found(pool.delete(id), id) });
}

export async function expire(exchange: PoolExchange): Promise<void> {
  const { ttlMs, part } = await readJson(exchange, expireSchema);
  const { pool, id } = exchange;
  const time = typeof ttlMs === 'number' ? ttlMs : undefined;
  sendParts(exchange, pool.expire(id, time, textOf(part)), textOf(part));
}

export async function pin(exchange: PoolExchange): Promise<void> {
  const part = textOf((await readJson(exchange, pinSchema))['part']);
  sendParts(exchange, exchange.pool.pin(exchange.id, part), part);
}

export async function unpin(exchange: PoolExchange): Promise<void> {
  const part = textOf((await readJson(exchange, pinSchema))['part']);
  sendParts(exchange, exchange.pool.unpin(exchange.id, part), part);
}

export async function hint(exchange: PoolExchange): Promise<void> {
  const { closed, toolPending, stop } = await readJson(exchange, hintSchema);
  const reason = stopReasons.find((candidate) => candidate === stop);
  const given: Hint = {
    ...(typeof closed === 'boolean' && { closed }),
    ...(typeof toolPending === 'boolean' && { toolPending }),
    ...(reason !== undefined && { stop: reason }),
  };
  sendParts(exchange, exchange.pool.hint(exchange.id, given));
}

export async function invalidate(exchange: PoolExchange): Promise<void> {
  const { tag } = await readJson(exchange, invalidateSchema);
  sendJson(exchange, 200, { deleted: exchange.pool.invalidate({ tag: String(tag) }) });
}

function sendParts(exchange: PoolExchange, parts: number, part?: string): void {
  sendJson(exchange, 200, { parts: found(parts, exchange.id, part) });
}

/** `count`, unless nothing was there. @throws not_found */
function found(count: number, id: string, part?: string): number {
  return count === 0 ? notFound(id, part) : count;
}

function notFound(id: string, part?: string): never {
  const what = part === undefined ? '' : `part ${JSON.stringify(part)} of `;
  fail('not_found', `There is no ${what}context ${JSON.stringify(id)}.`);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function contextJson({ id, parts, partCount }: ContextInfo): Record<string, unknown> {
  return { id, parts: parts.map(partJson), partCount };
}

/** Absent values as null, so that every row has the same fields. */
function partJson(part: PartInfo): Record<string, unknown> {
  return { ...part, crc32: part.crc32 ?? null, expiresAtMs: part.expiresAtMs ?? null };
}
