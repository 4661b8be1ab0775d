/** A server over a real pool, for one test. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { onTestFinished } from 'vitest';

import type { OpenOptions, Pool } from '../../../src/pool/api.ts';
import { openPool } from '../../../src/pool/open.ts';
import {
  createServer,
  Keyring,
  type CenoteServer,
  type ServerOptions,
} from '../../../src/server/index.ts';
import { call, testKey, type Answer, type Call } from './client.ts';

export interface TestServer {
  readonly pool: Pool;
  readonly server: CenoteServer;
  readonly url: string;
  /** Errors without a code; a test that expects none says so. */
  readonly errors: unknown[];
  readonly call: (method: string, path: string, options?: Call) => Promise<Answer>;
}

export interface TestServerOptions extends Partial<Omit<ServerOptions, 'pool'>> {
  readonly pool?: OpenOptions;
}

const mib = 2 ** 20;

/** Opens and listens; everything is closed with the test. */
export async function serve(options: TestServerOptions = {}): Promise<TestServer> {
  const errors: unknown[] = [];
  const pool = await openPool({ capacityBytes: 64 * mib, ...options.pool });
  const server = createServer({
    auth: Keyring.of(testKey),
    http: { port: 0 },
    onError: (error) => errors.push(error),
    ...options,
    pool,
  });
  await server.listen();
  onTestFinished(async () => {
    await server.close({ deadlineMs: 0 });
    await pool.close();
  });
  const url = server.urls[0] as string;
  return { pool, server, url, errors, call: (...args) => call(url, ...args) };
}

/** A folder that goes with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cenote-server-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** What must be as before when a write has changed nothing. */
export function footprint(pool: Pool): Record<string, number> {
  const { contexts, parts, partBytes, retiredParts, memory } = pool.stats();
  const blocks = memory.kinds.reduce((sum, kind) => sum + kind.liveBlocks, 0);
  return { contexts, parts, partBytes, retiredParts, liveBytes: memory.liveBytes, blocks };
}
