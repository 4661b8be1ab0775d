/** Routes of tenants and keys. */

import type { ErrorCode } from '../../errors.ts';
import {
  createKey,
  deleteKey,
  deleteTenant,
  describeTenant,
  listKeys,
  listTenants,
  newKeySchema,
  putTenant,
  quotasSchema,
} from './admin.ts';
import type { PlainRoute, Route, Success } from './route.ts';
import { nameSchema } from './schema.ts';

const tenants = '/v1/admin/tenants';
const keys = '/v1/admin/keys';
const deleted: readonly Success[] = [
  { status: 200, description: 'It is gone.', schema: 'DeletedCounted' },
];
/** Of routes that write records, and of those that take a body. */
const recordErrors: readonly ErrorCode[] = ['io_failed', 'not_found'];
const bodyErrors: readonly ErrorCode[] = [
  'value_too_large',
  'unsupported_encoding',
  'request_timeout',
];

export const adminRoutes: readonly Route[] = [
  adminRoute({
    method: 'GET',
    path: tenants,
    operation: 'listTenants',
    summary: 'All tenants, with what they use.',
    successes: [{ status: 200, description: 'The tenants.', schema: 'Tenants' }],
    errors: [],
    handle: listTenants,
  }),
  adminRoute({
    method: 'GET',
    path: `${tenants}/{id}`,
    operation: 'describeTenant',
    summary: 'A tenant, with what it uses.',
    successes: [{ status: 200, description: 'The tenant.', schema: 'Tenant' }],
    errors: ['not_found'],
    handle: describeTenant,
  }),
  adminRoute({
    method: 'PUT',
    path: `${tenants}/{id}`,
    operation: 'putTenant',
    summary: 'Make a tenant, or replace the quotas of one. All but default need capacityBytes.',
    body: quotasSchema,
    successes: [
      { status: 200, description: 'Its quotas are these now.', schema: 'Tenant' },
      { status: 201, description: 'Made.', schema: 'Tenant' },
    ],
    errors: [...recordErrors, ...bodyErrors, 'pool_full'],
    handle: putTenant,
  }),
  adminRoute({
    method: 'DELETE',
    path: `${tenants}/{id}`,
    operation: 'deleteTenant',
    summary: 'Remove a tenant with its keys and everything that it keeps.',
    successes: deleted,
    errors: recordErrors,
    handle: deleteTenant,
  }),
  adminRoute({
    method: 'GET',
    path: keys,
    operation: 'listKeys',
    summary: 'What is known of keys, which are not kept themselves.',
    query: [{ name: 'tenant', schema: nameSchema }],
    successes: [{ status: 200, description: 'The keys.', schema: 'Keys' }],
    errors: ['not_found'],
    handle: listKeys,
  }),
  adminRoute({
    method: 'POST',
    path: keys,
    operation: 'createKey',
    summary: 'Make a key of a tenant. It is told this once.',
    body: newKeySchema,
    successes: [{ status: 201, description: 'The key.', schema: 'NewKey' }],
    errors: [...recordErrors, ...bodyErrors],
    handle: createKey,
  }),
  adminRoute({
    method: 'DELETE',
    path: `${keys}/{id}`,
    operation: 'deleteKey',
    summary: 'Revoke the key that has this id.',
    successes: deleted,
    errors: recordErrors,
    handle: deleteKey,
  }),
];

function adminRoute(route: PlainRoute): Route {
  return { ...route, scope: 'admin' };
}
