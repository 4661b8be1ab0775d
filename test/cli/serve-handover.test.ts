/** `cenote serve --workers`: connections that are dealt to a worker which stops, or dies, before it takes them. */

import { expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { Scratch, type Serving } from './support/cli.ts';
import { Connection, startPair, workersOf } from './support/workers.ts';

const latePrimary = new URL('support/late-primary.mjs', import.meta.url).href;

/** What clients get who all ask at once, each over a connection of its own, as it comes. */
function ask(server: Serving, clients: number): { outcomes: unknown[]; all: Promise<unknown> } {
  const outcomes: unknown[] = [];
  const all = Array.from({ length: clients }, async () => {
    const connection = new Connection(server, server.key);
    try {
      outcomes.push((await connection.send('GET', '/healthz')).status);
    } catch {
      outcomes.push('closed');
    }
    connection.close();
  });
  return { outcomes, all: Promise.all(all) };
}

it('a worker that stops sends back what is dealt to it, and another answers', async () => {
  using scratch = new Scratch();
  const env = { NODE_OPTIONS: `--import ${latePrimary}` };
  const { server, pair } = await startPair(scratch, [], env);
  for (const connection of pair) connection.close();
  const before = workersOf(server);
  process.kill(server.child.pid as number, 'SIGHUP');
  await until(() => server.stderr.includes('late'));
  const { outcomes, all } = ask(server, 6);
  await all;
  expect(outcomes).toEqual(Array(6).fill(200));
  await until(() => {
    const now = workersOf(server);
    return now.length === 2 && before.every((pid) => !now.includes(pid));
  });
  expect((await server.stop()).code).toBe(0);
});

it('the end of a worker that has not taken a connection closes it', async () => {
  using scratch = new Scratch();
  const { server, pair } = await startPair(scratch);
  for (const connection of pair) connection.close();
  const [victim] = workersOf(server) as [number];
  process.kill(victim, 'SIGSTOP');
  const { outcomes, all } = ask(server, 4);
  await until(() => outcomes.length === 3);
  process.kill(victim, 'SIGKILL');
  await all;
  expect(outcomes).toEqual([200, 200, 200, 'closed']);
  await until(() => {
    const now = workersOf(server);
    return now.length === 2 && !now.includes(victim);
  });
  expect((await server.stop()).code).toBe(0);
});
