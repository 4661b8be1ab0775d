/** `cenote serve --disk`: what was durable is there when the memory is gone, and the server says how far it is. */

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Scratch, Serving } from './support/cli.ts';

it('brings back from the disk what was durable, with a progress bar', async () => {
  using scratch = new Scratch();
  const data = scratch.join('data');
  const words = ['--http', '0', '--resp', 'off', '--data', data, '--capacity', '64m'];
  const tiers = ['--disk', '1GiB', '--keyring', scratch.join('keys')];
  const first = await Serving.start([...words, ...tiers]);
  const { key } = first;
  const request = async (url: string, method: string, body?: string): Promise<Response> =>
    fetch(`${url}/v1/contexts/chat/parts/p?${method === 'PUT' ? 'durability=disk' : ''}`, {
      method,
      headers: { Authorization: `Bearer ${key}` },
      ...(body !== undefined && { body }),
    });
  expect((await request(first.url, 'PUT', 'kept')).status).toBe(201);
  await first.stop();
  expect(existsSync(scratch.join('keys/default.json'))).toBe(true);

  const pool = join(data, 'tenants', 'default');
  for (const name of readdirSync(pool)) {
    if (name.startsWith('segment-')) rmSync(join(pool, name));
  }
  const second = await Serving.start([...words, ...tiers]);
  const answer = await request(second.url, 'GET');
  expect([answer.status, await answer.text()]).toEqual([200, 'kept']);
  expect((await second.stop()).stderr).toMatch(/Rebuild default .*4 B of 4 B/);
});

it('says what is wrong with its settings', async () => {
  using scratch = new Scratch();
  const words = ['--http', '0', '--data', scratch.join('data'), '--disk', 'much'];
  await expect(Serving.start(words)).rejects.toThrow(/--disk/);
});
