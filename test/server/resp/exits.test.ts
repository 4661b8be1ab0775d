/** Commands that fail late: nothing has changed. */

import { describe, expect, it } from 'vitest';

import { ErrorReply, type Reply, type Word } from './support/client.ts';
import { pattern, serveResp } from './support/serve.ts';

function codeOf(reply: Reply): string {
  expect(reply).toBeInstanceOf(ErrorReply);
  return (reply as ErrorReply).code;
}

describe('a time to live that cannot be', () => {
  it.each<[string, (value: Buffer) => Word[]]>([
    ['SET', (value) => ['SET', 'k', value, 'EX', 2 ** 52]],
    ['SETEX', (value) => ['SETEX', 'k', 2 ** 52, value]],
    ['PSETEX', (value) => ['PSETEX', 'k', 2 ** 52, value]],
  ])('leaves what was under the key of %s, be the new value small or large', async (_, words) => {
    const client = await (await serveResp()).connect();
    await client.call('HELLO', 2);
    await client.call('SET', 'k', 'before');
    for (const sizeBytes of [10, 100_000]) {
      expect(codeOf(await client.call(...words(pattern(sizeBytes))))).toBe('invalid_argument');
      expect(await client.call('GET', 'k')).toEqual(Buffer.from('before'));
    }
  });
});

describe('a large value', () => {
  it('has the expiry that came behind it', async () => {
    const client = await (await serveResp()).connect();
    const value = pattern(100_000);
    await client.call('SET', 'k', value, 'PX', 5_000_000);
    expect(await client.call('PTTL', 'k')).toBeGreaterThan(4_000_000);
    await client.call('SET', 'k', value, 'KEEPTTL');
    expect(await client.call('PTTL', 'k')).toBeGreaterThan(4_000_000);
    await client.call('SET', 'k', value);
    expect(await client.call('PTTL', 'k')).toBe(-1);
  });
});
