/** Conditions of SET hold when the value is stored, whatever another worker does between the look and that. */

import { describe, expect, it, vi } from 'vitest';

import type { Pool } from '../../../src/pool/api.ts';
import { plain, type Reply, type Word } from './support/client.ts';
import { pattern, serveResp, type RespTestServer } from './support/serve.ts';

type Change = (pool: Pool) => unknown;

/** Lets another worker change the key just after it was looked at for the first time. */
function afterFirstLook(pool: Pool, change: Change): void {
  let isDone = false;
  for (const name of ['describe', 'where'] as const) {
    const look: (id: string, part: string) => unknown = pool[name].bind(pool);
    vi.spyOn(pool, name as 'where').mockImplementation((id, part) => {
      const seen = look(id, part);
      if (!isDone) {
        isDone = true;
        change(pool);
      }
      return seen as ReturnType<Pool['where']>;
    });
  }
}

/** What the command is told, and what the key holds then. */
async function told(command: readonly Word[], held: string | undefined, change: Change) {
  const server: RespTestServer = await serveResp();
  const { pool } = server;
  if (held !== undefined) pool.put('k', 'value', held, { ttlMs: 1_000_000 });
  const client = await server.connect();
  await client.call('PING');
  afterFirstLook(pool, change);
  const reply: Reply = await client.call(...command);
  vi.restoreAllMocks();
  expect(server.errors).toEqual([]);
  expect(server.server.respStats()).toMatchObject({ inFlightBytes: 0 });
  expect(pool.stats()).toMatchObject({ retiredParts: 0 });
  expect(pool.draftBytes).toBe(0);
  const lease = pool.get('k', 'value');
  const value = lease === undefined ? undefined : Buffer.from(lease.data as Uint8Array);
  lease?.release();
  const { expiresAtMs } = pool.describe('k', 'value') ?? {};
  return {
    reply: plain(reply),
    value: value?.toString('latin1'),
    expires: expiresAtMs !== undefined,
  };
}

const put: Change = (pool) => pool.put('k', 'value', Buffer.from('theirs'));
const remove: Change = (pool) => pool.delete('k');

describe.each([
  ['small', Buffer.from('mine')],
  ['large', pattern(50_000)],
])('a %s value whose key another worker changes meanwhile', (_, bytes) => {
  const mine = bytes.toString('latin1');

  it.each([
    ['SETNX', 0],
    ['SET', null],
  ])('is not stored by %s where there is one now', async (name, reply) => {
    const command = name === 'SETNX' ? ['SETNX', 'k', bytes] : ['SET', 'k', bytes, 'NX'];
    expect(await told(command, undefined, put)).toMatchObject({ reply, value: 'theirs' });
  });

  it('is not stored by XX where there is none any more', async () => {
    const after = await told(['SET', 'k', bytes, 'XX'], 'old', remove);
    expect(after).toMatchObject({ reply: null, value: undefined });
  });

  it('is stored by XX in the place of another', async () => {
    const after = await told(['SET', 'k', bytes, 'XX'], 'old', put);
    expect(after).toMatchObject({ reply: 'OK', value: mine });
  });

  it('tells with GET what it has replaced', async () => {
    const after = await told(['SET', 'k', bytes, 'GET'], 'old', put);
    expect(after).toMatchObject({ reply: '"theirs"', value: mine });
  });

  it('tells with NX and GET what is there, and that there was nothing where it is stored', async () => {
    const refused = await told(['SET', 'k', bytes, 'NX', 'GET'], undefined, put);
    expect(refused).toMatchObject({ reply: '"theirs"', value: 'theirs' });
    const stored = await told(['SET', 'k', bytes, 'NX', 'GET'], 'old', remove);
    expect(stored).toMatchObject({ reply: null, value: mine });
  });

  it('keeps with KEEPTTL the time of what it replaces', async () => {
    const after = await told(['SET', 'k', bytes, 'KEEPTTL'], 'old', put);
    expect(after).toMatchObject({ reply: 'OK', value: mine, expires: false });
  });

  it('is stored without conditions at once', async () => {
    const after = await told(['SET', 'k', bytes, 'EX', 100], 'old', put);
    expect(after).toMatchObject({ reply: 'OK', value: mine, expires: true });
  });
});
