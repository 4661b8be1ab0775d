/** Handlers of one part: write, read, append, delete. */

import { kinds } from '../../alloc/kind.ts';
import { fail, hasCode } from '../../errors.ts';
import {
  elementTypes,
  type ElementType,
  type Lease,
  type PartInfo,
  type PutOptions,
} from '../../pool/api.ts';
import { bytesPerElement, elementCode, viewOf, type PartData } from '../../store/element.ts';
import { announcedBytes, receive } from './body.ts';
import { etagOf, isConditional, mayWrite, rangeApplies, readOutcome } from './etag.ts';
import type { PoolExchange } from './exchange.ts';
import { durabilities } from './parameters.ts';
import type { HeaderFields } from './problem.ts';
import { contentRange, parseRange } from './ranges.ts';
import { sendBytes, sendHead, sendJson } from './send.ts';
import { Utf8Check } from './utf8.ts';

/** The body goes chunk by chunk into pool memory, and becomes visible whole or not at all. */
export async function writePart(exchange: PoolExchange): Promise<void> {
  const { service, pool, reservation, req, id, part, query } = exchange;
  const { limits } = service;
  const type = query.choice('type', elementTypes) ?? 'u8';
  const announced = announcedBytes(req, limits.maxBodyBytes);
  if (announced !== undefined) checkWhole(announced, type);
  const isDurable = asksForDisk(exchange);
  if (isConditional(req)) await bringBack(exchange);
  const options = putOptions(exchange, type);
  reservation.growBody(announced ?? 0);
  const draft = pool.beginPut(id, part, announced ?? limits.chunkedReserveBytes, options);
  try {
    const text = type === 'utf8' ? new Utf8Check() : undefined;
    const sizeBytes = await receive(exchange, limits.maxBodyBytes, (chunk) => {
      if (announced === undefined) reservation.growBody(chunk.length);
      text?.push(chunk);
      draft.write(chunk);
    });
    text?.finish();
    const created = !isThere(exchange);
    const version = draft.commit();
    if (isDurable) await pool.persist(id, part);
    sendWritten(exchange, created ? 201 : 200, version, sizeBytes);
  } finally {
    draft.abort();
  }
}

/**
 * The socket reads pool memory: the lease is held until the response is sent or its connection
 * closed.
 */
export async function readPart(exchange: PoolExchange): Promise<void> {
  const { pool, reservation, req, id, part } = exchange;
  const lease = pool.get(id, part) ?? (pool.hasDisk ? await pool.load(id, part) : undefined);
  if (lease === undefined) notFound(id, part);
  try {
    if (!passes(exchange, lease)) return;
    const { data, version, sizeBytes } = lease;
    const range = rangeApplies(req, version) ? parseRange(req.headers.range, sizeBytes) : undefined;
    const { start, end } = range ?? { start: 0, end: sizeBytes };
    reservation.growLeases(sizeBytes);
    sendHead(exchange, range === undefined ? 200 : 206, {
      ...partHeaders(lease),
      'Content-Length': String(end - start),
      ...(range !== undefined && { 'Content-Range': contentRange(range, sizeBytes) }),
    });
    await sendBytes(exchange, new Uint8Array(data.buffer, data.byteOffset + start, end - start));
  } finally {
    lease.release();
  }
}

/** The headers of a read, without counting as a use of the part. */
export async function describePart(exchange: PoolExchange): Promise<void> {
  const { pool, id, part } = exchange;
  await bringBack(exchange);
  const info = pool.describe(id, part) ?? notFound(id, part);
  if (!passes(exchange, info)) return;
  sendHead(exchange, 200, { ...partHeaders(info), 'Content-Length': String(info.sizeBytes) });
  exchange.res.end();
}

/** Appended whole or not at all, so the body is buffered first. */
export async function appendPart(exchange: PoolExchange): Promise<void> {
  const { service, pool, reservation, req, id, part, query } = exchange;
  const { limits } = service;
  const asked = query.choice('type', elementTypes);
  const isDurable = asksForDisk(exchange);
  const announced = announcedBytes(req, limits.maxAppendBytes);
  await bringBack(exchange);
  pinnedVersion(exchange);
  reservation.growBody(announced ?? 0);
  const bytes = await collect(exchange, announced);
  // It may have gone to the disk while the body came.
  await bringBack(exchange);
  const before = pool.describe(id, part);
  const type = asked ?? before?.elementType ?? 'u8';
  checkWhole(bytes.length, type);
  const version = pool.append(id, part, dataOf(bytes, type), pinnedVersion(exchange));
  if (isDurable) await pool.persist(id, part);
  const sizeBytes = (before?.sizeBytes ?? 0) + bytes.length;
  sendWritten(exchange, before === undefined ? 201 : 200, version, sizeBytes);
}

export async function deletePart(exchange: PoolExchange): Promise<void> {
  const { pool, req, id, part } = exchange;
  const isDurable = asksForDisk(exchange);
  if (isConditional(req)) await bringBack(exchange);
  if (!isThere(exchange)) notFound(id, part);
  const deleted = pool.delete(id, part, pinnedVersion(exchange));
  if (isDurable) await pool.persist(id, part);
  sendJson(exchange, 200, { deleted });
}

/** @throws tier_unavailable before anything is done, where there is no disk to wait for */
function asksForDisk({ pool, query }: PoolExchange): boolean {
  if (query.choice('durability', durabilities) !== 'disk') return false;
  if (!pool.hasDisk) fail('tier_unavailable', 'The pool has no disk tier.');
  return true;
}

/** What is on the disk only comes to memory, where the rest looks for it. @throws part_corrupt, key_unavailable */
export async function bringBack({
  pool,
  id,
  part,
}: Pick<PoolExchange, 'pool' | 'id' | 'part'>): Promise<void> {
  if (!pool.hasDisk || pool.describe(id, part) !== undefined) return;
  (await pool.load(id, part))?.release();
}

/** In memory or on the disk, be it damaged there. */
function isThere({ pool, id, part }: PoolExchange): boolean {
  if (pool.describe(id, part) !== undefined) return true;
  try {
    return pool.hasDisk && pool.where(id, part) !== undefined;
  } catch (error) {
    if (hasCode(error, 'part_corrupt')) return true;
    throw error;
  }
}

function sendWritten(
  exchange: PoolExchange,
  status: 200 | 201,
  version: number,
  sizeBytes: number,
): void {
  sendJson(exchange, status, { version, sizeBytes }, { ETag: etagOf(version) });
}

function putOptions(exchange: PoolExchange, elementType: ElementType): PutOptions {
  const { query } = exchange;
  return {
    elementType,
    ...present('kind', query.choice('kind', kinds)),
    ...present('ttlMs', query.integer('ttlMs')),
    ...present('tags', query.list('tags')),
    ...present('dependsOn', query.list('dependsOn')),
    ...present('pinned', query.flag('pinned')),
    ...present('sensitive', query.flag('sensitive')),
    ...pinnedVersion(exchange),
  };
}

/** The option, or nothing when it was not given. */
function present<K extends string, V>(name: K, value: V | undefined): Partial<Record<K, V>> {
  const option: Partial<Record<K, V>> = {};
  if (value !== undefined) option[name] = value;
  return option;
}

/**
 * Preconditions are checked against the part's version before the body is read; the write then
 * insists on that version, so that nothing can come between.
 * @throws version_conflict
 */
function pinnedVersion(exchange: PoolExchange): { readonly ifVersion?: number } {
  const { pool, req, id, part } = exchange;
  if (!isConditional(req)) return {};
  const version = pool.describe(id, part)?.version;
  if (!mayWrite(req, version)) conflict(version);
  return { ifVersion: version ?? 0 };
}

/** Answers a conditional read that needs no body. @returns false when it has answered */
function passes(exchange: PoolExchange, part: Lease | PartInfo): boolean {
  const outcome = readOutcome(exchange.req, part.version);
  if (outcome === 'failed') conflict(part.version);
  if (outcome === 'send') return true;
  sendHead(exchange, 304, { ETag: etagOf(part.version), 'Cache-Control': cacheControl });
  exchange.res.end();
  return false;
}

/** A cache may keep a part for its own user, and asks again before each use. */
const cacheControl = 'private, no-cache';

function partHeaders(part: Lease | PartInfo): HeaderFields {
  const text = part.elementType === 'utf8';
  return {
    ETag: etagOf(part.version),
    'Accept-Ranges': 'bytes',
    'Cache-Control': cacheControl,
    'Content-Type': text ? 'text/plain; charset=utf-8' : 'application/octet-stream',
    'X-Cenote-Kind': part.kind,
    'X-Cenote-Type': part.elementType,
    'X-Cenote-Version': String(part.version),
  };
}

/** The body in one aligned buffer of its own. */
async function collect(exchange: PoolExchange, announced: number | undefined): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  const { reservation, service } = exchange;
  const { maxAppendBytes } = service.limits;
  const sizeBytes = await receive(exchange, maxAppendBytes, (chunk) => {
    if (announced === undefined) reservation.growBody(chunk.length);
    chunks.push(chunk);
  });
  const bytes = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

function dataOf(bytes: Uint8Array, type: ElementType): PartData {
  if (type !== 'utf8') return viewOf(elementCode(type), bytes.buffer, 0, bytes.length);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail('invalid_argument', `The body of ${bytes.length} bytes is not UTF-8.`);
  }
}

function checkWhole(sizeBytes: number, type: ElementType): void {
  const elementBytes = bytesPerElement(elementCode(type));
  if (sizeBytes % elementBytes !== 0) {
    fail(
      'invalid_argument',
      `${sizeBytes} bytes are not a whole number of ${type} elements of ${elementBytes}.`,
    );
  }
}

function conflict(version: number | undefined): never {
  const state = version === undefined ? 'there is no such part' : `its version is ${version}`;
  fail('version_conflict', `The precondition does not hold: ${state}.`);
}

function notFound(id: string, part: string): never {
  fail('not_found', `There is no part ${JSON.stringify(part)} of context ${JSON.stringify(id)}.`);
}
