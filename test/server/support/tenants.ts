/** A server of several tenants, for one test. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { onTestFinished } from 'vitest';

import type { Quotas, Scope } from '../../../src/guard/api.ts';
import type { Pool } from '../../../src/pool/api.ts';
import {
  createServer,
  keyRecord,
  openGuard,
  type CenoteServer,
  type DataGuard,
  type GuardOptions,
  type ServerOptions,
} from '../../../src/server/index.ts';
import { call, testKey, type Answer, type Call } from './client.ts';

const mib = 2 ** 20;

export interface TenantServer {
  readonly guard: DataGuard;
  readonly server: CenoteServer;
  readonly url: string;
  readonly errors: unknown[];
  /** As the holder of `testKey`, who may do everything, and as whom `key` names. */
  readonly call: (method: string, path: string, options?: Call) => Promise<Answer>;
  /** Makes a tenant; returns a key for it. */
  readonly tenant: (name: string, quotas?: Quotas, scopes?: readonly Scope[]) => Promise<string>;
  /** The pool of the tenant of a key. */
  readonly poolOf: (key: string) => Promise<Pool>;
}

type Models = 'engine' | 'embedder' | 'inferModels';

export async function serveTenants(
  options: Partial<GuardOptions & Pick<ServerOptions, 'limits' | Models>> = {},
): Promise<TenantServer> {
  const folder = await mkdtemp(join(tmpdir(), 'cenote-tenants-'));
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const guard = await openGuard(folder, {
    withKeys: true,
    extraKeys: [keyRecord(testKey, 0)],
    newCapacityBytes: 128 * mib,
    onError,
    ...options,
  });
  const server = createServer({
    guard,
    http: { port: 0 },
    onError,
    ...(options.limits !== undefined && { limits: options.limits }),
    ...(options.engine !== undefined && { engine: options.engine }),
    ...(options.embedder !== undefined && { embedder: options.embedder }),
    ...(options.inferModels !== undefined && { inferModels: options.inferModels }),
  });
  await server.listen();
  onTestFinished(async () => {
    await server.close({ deadlineMs: 0 });
    await guard.close();
    await rm(folder, { recursive: true, force: true });
  });
  const url = server.urls[0] as string;
  return {
    guard,
    server,
    url,
    errors,
    call: (...args) => call(url, ...args),
    async tenant(name, quotas, scopes = ['ctx:read', 'ctx:write', 'ctx:delete']) {
      await guard.administration.putTenant(name, { capacityBytes: 8 * mib, ...quotas });
      return (await guard.administration.createKey({ tenant: name, scopes })).key;
    },
    async poolOf(key) {
      const caller = guard.identify(key);
      if (caller === undefined) throw new Error('No such key.');
      return caller.pool ?? caller.open();
    },
  };
}
