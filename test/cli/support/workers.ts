/** A server with several workers, and connections to them. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { type Scratch, Serving } from './cli.ts';

/** Pids of the processes that a server has started. */
export function workersOf({ child }: Serving): number[] {
  const list = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1');
  return list.trim().split(' ').filter(Boolean).map(Number);
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** A connection of its own, which stays with one worker. */
export class Connection {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #server: Serving;
  readonly #key: string;
  /** The last request is on its way. */
  sent: Promise<unknown> = Promise.resolve();

  constructor(server: Serving, key: string) {
    this.#server = server;
    this.#key = key;
  }

  async send(method: string, path: string, body?: string): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.#key}` };
    const sent = request(`${this.#server.url}${path}`, { method, headers, agent: this.#agent });
    this.sent = once(sent, 'finish');
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [
      NodeJS.ReadableStream & { statusCode: number },
    ];
    let text = '';
    for await (const chunk of response) text += String(chunk);
    return { status: response.statusCode, text };
  }

  put(id: string, body: string): Promise<Answer> {
    return this.send('PUT', `/v1/contexts/${id}/parts/text?type=utf8`, body);
  }

  async get(id: string): Promise<string> {
    return (await this.send('GET', `/v1/contexts/${id}/parts/text`)).text;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** A server with two workers, and a connection to each: connections are dealt out in turn. */
export async function startPair(
  scratch: Scratch,
  words: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<{ server: Serving; pair: [Connection, Connection] }> {
  const data = scratch.join('data');
  const server = await Serving.start(
    ['--workers', '2', '--http', '0', '--data', data, ...words],
    env,
  );
  const pair: [Connection, Connection] = [
    new Connection(server, server.key),
    new Connection(server, server.key),
  ];
  for (const connection of pair) await connection.send('GET', '/healthz');
  return { server, pair };
}
