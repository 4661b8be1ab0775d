/** Routes for many parts at once. */

import { batchGet, batchGetSchema, batchPut } from './batch.ts';
import { batchType } from './batch-parser.ts';
import type { Route } from './route.ts';

const format =
  'Parts are one after the other: a line of JSON with id, part and sizeBytes, then so many bytes.';

export const batchRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/v1/batch/get',
    operation: 'batchGet',
    pool: true,
    scope: 'ctx:read',
    summary: `Read many parts, each with a status of its own. ${format}`,
    body: batchGetSchema,
    successes: [{ status: 200, description: 'The parts, as asked for.', mediaTypes: [batchType] }],
    errors: ['value_too_large', 'unsupported_encoding', 'request_timeout'],
    handle: batchGet,
  },
  {
    method: 'POST',
    path: '/v1/batch/put',
    operation: 'batchPut',
    pool: true,
    scope: 'ctx:write',
    summary: `Write many parts, each whole or not at all. Lines take the parameters of a write, and ifVersion. ${format}`,
    body: 'batch',
    successes: [{ status: 200, description: 'What became of each part.', schema: 'BatchResults' }],
    errors: ['value_too_large', 'length_required', 'unsupported_encoding', 'request_timeout'],
    handle: batchPut,
  },
];
