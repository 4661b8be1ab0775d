/** A server that speaks RESP, for one test. */

import type { RespLimits } from '../../../../src/server/resp/limits.ts';
import { serve, type TestServer, type TestServerOptions } from '../../support/serve.ts';
import { RespClient } from './client.ts';

export interface RespTestServer extends TestServer {
  readonly respUrl: string;
  /** A connection that may do everything. */
  readonly connect: () => Promise<RespClient>;
}

/** Asks for no key unless `auth` says so. */
export async function serveResp(
  respLimits: Partial<RespLimits> = {},
  options: TestServerOptions = {},
): Promise<RespTestServer> {
  const started = await serve({ auth: 'none', resp: { port: 0 }, respLimits, ...options });
  const respUrl = started.server.respUrl as string;
  return { ...started, respUrl, connect: () => RespClient.to(respUrl) };
}

/** Bytes that differ from place to place. */
export function pattern(sizeBytes: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let x = seed | 1;
  for (let i = 0; i < sizeBytes; i++) {
    x = Math.imul(x, 1_664_525) + 1_013_904_223;
    bytes[i] = x >>> 24;
  }
  return bytes;
}
