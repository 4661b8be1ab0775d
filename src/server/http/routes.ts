/** Every route of the server. The router and the OpenAPI document are both made from this table. */

import type { ErrorCode } from '../../errors.ts';
import { chatRoutes } from '../chat/routes.ts';
import { kserveRoutes } from '../kserve/routes.ts';
import { adminRoutes } from './admin-routes.ts';
import { batchRoutes } from './batch-routes.ts';
import {
  deleteContext,
  describeContext,
  expire,
  expireSchema,
  hint,
  hintSchema,
  invalidate,
  invalidateSchema,
  listContexts,
  listParts,
  maxListed,
  pin,
  pinSchema,
  unpin,
} from './contexts.ts';
import { metricsType } from './exposition.ts';
import { appendParameters, durability, putParameters } from './parameters.ts';
import { appendPart, deletePart, describePart, readPart, writePart } from './parts.ts';
import type { QueryParameter } from './query.ts';
import type { PoolRoute, Route, Success } from './route.ts';
import { nameSchema } from './schema.ts';
import { health, metrics, openApi, readiness, stats } from './system.ts';

const partPath = '/v1/contexts/{id}/parts/{part}';
const conditions = ['If-Match', 'If-None-Match'];
const partHeaders = ['ETag', 'X-Cenote-Kind', 'X-Cenote-Type', 'X-Cenote-Version', 'Accept-Ranges'];
const partTypes = ['application/octet-stream', 'text/plain; charset=utf-8'];
const partsCounted = [ok('How many parts it concerns.', 'PartsCounted')];
const deletedCounted = [ok('How many parts went.', 'DeletedCounted')];
const unchanged: Success = { status: 304, description: 'The version is known.', headers: ['ETag'] };
const written: readonly Success[] = [
  { status: 200, description: 'Replaced or extended.', schema: 'Written', headers: ['ETag'] },
  { status: 201, description: 'Created.', schema: 'Written', headers: ['ETag'] },
];

const partsPage: readonly QueryParameter[] = [
  { name: 'after', schema: { ...nameSchema, description: 'Only names that sort after this.' } },
  { name: 'limit', schema: { type: 'integer', minimum: 1, maximum: maxListed } },
];

/** Of what waits for the disk. */
const diskErrors: readonly ErrorCode[] = [
  'tier_unavailable',
  'tier_full',
  'key_unavailable',
  'io_failed',
];

const partRoutes: readonly Route[] = [
  {
    method: 'PUT',
    path: partPath,
    operation: 'writePart',
    pool: true,
    scope: 'ctx:write',
    summary: 'Write a part whole: readers see the old bytes or the new ones.',
    query: putParameters,
    headers: conditions,
    body: 'bytes',
    successes: written,
    errors: [
      'version_conflict',
      'pool_full',
      'memory_unavailable',
      'budget_exceeded',
      'value_too_large',
      'length_required',
      'unsupported_encoding',
      'request_timeout',
      'read_only',
      ...diskErrors,
    ],
    handle: writePart,
  },
  {
    method: 'GET',
    path: partPath,
    operation: 'readPart',
    pool: true,
    scope: 'ctx:read',
    summary: 'Read a part, or a range of its bytes.',
    headers: [...conditions, 'Range', 'If-Range'],
    successes: [
      { status: 200, description: 'The part.', mediaTypes: partTypes, headers: partHeaders },
      {
        status: 206,
        description: 'The range.',
        mediaTypes: partTypes,
        headers: [...partHeaders, 'Content-Range'],
      },
      unchanged,
    ],
    errors: [
      'not_found',
      'version_conflict',
      'range_not_satisfiable',
      'part_corrupt',
      'key_unavailable',
    ],
    handle: readPart,
  },
  {
    method: 'HEAD',
    path: partPath,
    operation: 'describePart',
    pool: true,
    scope: 'ctx:read',
    summary: 'The headers of a read, without counting as a use.',
    headers: conditions,
    successes: [{ status: 200, description: 'It is there.', headers: partHeaders }, unchanged],
    errors: ['not_found', 'version_conflict', 'part_corrupt', 'key_unavailable'],
    handle: describePart,
  },
  {
    method: 'DELETE',
    path: partPath,
    operation: 'deletePart',
    pool: true,
    scope: 'ctx:delete',
    summary: 'Delete a part.',
    query: [durability],
    headers: conditions,
    successes: deletedCounted,
    errors: ['not_found', 'version_conflict', 'read_only', ...diskErrors],
    handle: deletePart,
  },
  {
    method: 'POST',
    path: `${partPath}/append`,
    operation: 'appendPart',
    pool: true,
    scope: 'ctx:write',
    summary:
      'Extend a part in place, or create it. Without type it takes that of the part, u8 for a new one.',
    query: appendParameters,
    headers: conditions,
    body: 'bytes',
    successes: written,
    errors: [
      'element_type_mismatch',
      'version_conflict',
      'pool_full',
      'memory_unavailable',
      'budget_exceeded',
      'value_too_large',
      'length_required',
      'unsupported_encoding',
      'request_timeout',
      'part_corrupt',
      'read_only',
      ...diskErrors,
    ],
    handle: appendPart,
  },
];

const contextRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/contexts',
    operation: 'listContexts',
    pool: true,
    scope: 'ctx:read',
    summary:
      'Contexts in the order of their ids, each with its first parts: fewer, the more contexts are asked for.',
    query: [
      { name: 'prefix', schema: { ...nameSchema, description: 'Only ids that start with this.' } },
      { name: 'after', schema: { ...nameSchema, description: 'Only ids that sort after this.' } },
      { name: 'limit', schema: { type: 'integer', minimum: 1, maximum: maxListed } },
    ],
    successes: [ok('A page; next, if present, is the after of the next page.', 'ContextPage')],
    errors: [],
    handle: listContexts,
  },
  {
    method: 'GET',
    path: '/v1/contexts/{id}',
    operation: 'describeContext',
    pool: true,
    scope: 'ctx:read',
    summary: 'The parts of a context in the order of their names.',
    query: partsPage,
    successes: [ok('The context.', 'Context')],
    errors: ['not_found'],
    handle: describeContext,
  },
  {
    method: 'GET',
    path: '/v1/contexts/{id}/parts',
    operation: 'listParts',
    pool: true,
    scope: 'ctx:read',
    summary: 'The parts of a context, in pages.',
    query: partsPage,
    successes: [ok('A page; next, if present, is the after of the next page.', 'PartPage')],
    errors: ['not_found'],
    handle: listParts,
  },
  {
    method: 'DELETE',
    path: '/v1/contexts/{id}',
    operation: 'deleteContext',
    pool: true,
    scope: 'ctx:delete',
    summary: 'Delete a context with all its parts.',
    successes: deletedCounted,
    errors: ['not_found', 'read_only'],
    handle: deleteContext,
  },
  contextAction('expire', 'Set when a part, or all of a context, expires.', expireSchema, expire),
  contextAction('pin', 'Keep a part, or all of a context, from eviction.', pinSchema, pin),
  contextAction('unpin', 'Let a part, or all of a context, be evicted again.', pinSchema, unpin),
  contextAction('hint', 'Say what is known of the session.', hintSchema, hint),
  {
    method: 'POST',
    path: '/v1/invalidate',
    operation: 'invalidate',
    pool: true,
    scope: 'ctx:delete',
    summary: 'Delete every part that carries a tag.',
    body: invalidateSchema,
    successes: deletedCounted,
    errors: ['value_too_large', 'unsupported_encoding', 'request_timeout', 'read_only'],
    handle: invalidate,
  },
];

const systemRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/stats',
    operation: 'stats',
    pool: true,
    scope: 'ctx:read',
    summary: 'Statistics of the pool and of this server.',
    successes: [ok('Statistics.', 'Stats')],
    errors: [],
    handle: stats,
  },
  {
    method: 'GET',
    path: '/metrics',
    operation: 'metrics',
    summary: 'The same for Prometheus. A server may be set up to give it without a credential.',
    successes: [{ status: 200, description: 'Text exposition.', mediaTypes: [metricsType] }],
    errors: [],
    handle: metrics,
  },
  {
    method: 'GET',
    path: '/healthz',
    operation: 'health',
    summary: 'Whether the process answers.',
    open: true,
    successes: [ok('It does.', 'Status')],
    errors: [],
    handle: health,
  },
  {
    method: 'GET',
    path: '/readyz',
    operation: 'readiness',
    summary: 'Whether new requests are welcome.',
    open: true,
    successes: [ok('They are.', 'Status')],
    errors: [],
    handle: readiness,
  },
  {
    method: 'GET',
    path: '/openapi.json',
    operation: 'openApi',
    summary: 'This document.',
    open: true,
    successes: [{ status: 200, description: 'OpenAPI 3.1.', mediaTypes: ['application/json'] }],
    errors: [],
    handle: openApi,
  },
];

export const routes: readonly Route[] = [
  ...partRoutes,
  ...contextRoutes,
  ...batchRoutes,
  ...chatRoutes,
  ...kserveRoutes,
  ...systemRoutes,
  ...adminRoutes,
];

function ok(description: string, schema: string): Success {
  return { status: 200, description, schema };
}

function contextAction(
  name: string,
  summary: string,
  body: Exclude<Route['body'], undefined>,
  handle: PoolRoute['handle'],
): Route {
  return {
    method: 'POST',
    path: `/v1/contexts/{id}/${name}`,
    operation: name,
    pool: true,
    scope: 'ctx:write',
    summary,
    body,
    successes: partsCounted,
    errors: [
      'not_found',
      'value_too_large',
      'unsupported_encoding',
      'request_timeout',
      'read_only',
    ],
    handle,
  };
}
