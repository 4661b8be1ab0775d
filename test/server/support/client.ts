/**
 * An HTTP client without manners of its own: paths go out as given, every answer is compared with
 * the OpenAPI document.
 */

import { once } from 'node:events';
import {
  request,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';
import { connect, type Socket } from 'node:net';

import { expect } from 'vitest';

import type { ErrorCode } from '../../../src/errors.ts';
import { openApiOf } from '../../../src/server/http/openapi.ts';
import { routes } from '../../../src/server/http/routes.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body as JSON; fails when it is not. */
  json(): Record<string, unknown>;
}

export interface Call {
  readonly headers?: OutgoingHttpHeaders;
  /** Arrays go out chunked, one chunk each. */
  readonly body?: string | Uint8Array | readonly Uint8Array[];
  /** Default: the key of the test server; null: none. */
  readonly key?: string | null;
}

export const testKey = 'cn_test-key';

const document = openApiOf(routes);

/** Sends one request on a connection of its own. */
export async function call(
  url: string,
  method: string,
  path: string,
  { headers = {}, body, key = testKey }: Call = {},
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const auth = key === null ? {} : { authorization: `Bearer ${key}` };
  const chunked = Array.isArray(body);
  const length =
    body === undefined || chunked ? {} : { 'content-length': Buffer.byteLength(body as string) };
  const req = request({
    host: hostname.replace(/^\[|\]$/g, ''),
    port,
    method,
    path,
    agent: false,
    headers: { connection: 'close', ...auth, ...length, ...headers },
  });
  // A refused body may be cut while it is still being written: what counts is the answer.
  const failed = new Promise<never>((_, reject) => req.once('error', reject));
  const answered = once(req, 'response');
  if (chunked) for (const chunk of body as readonly Uint8Array[]) req.write(chunk);
  req.end(chunked ? undefined : (body as string | Uint8Array | undefined));
  const [res] = (await Promise.race([answered, failed])) as [IncomingMessage];
  req.on('error', () => {});
  const chunks: Buffer[] = [];
  for await (const chunk of res) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const status = res.statusCode ?? 0;
  expectDocumented(method, path, status);
  return { status, headers: res.headers, body: bytes, json: () => jsonOf(bytes) };
}

function jsonOf(bytes: Buffer): Record<string, unknown> {
  return JSON.parse(bytes.toString()) as Record<string, unknown>;
}

/** Every status that a known route answers is in the document. */
function expectDocumented(method: string, path: string, status: number): void {
  const bare = path.split('?')[0] as string;
  const template = Object.keys(document.paths).find((candidate) =>
    new RegExp(`^${candidate.replace(/\{\w+\}/g, '[^/]*')}$`).test(bare),
  );
  if (template === undefined || status === 405) return;
  const name = method.toLowerCase() as 'get';
  const operations = document.paths[template] ?? {};
  const operation = operations[name] ?? (method === 'HEAD' ? operations['get'] : undefined);
  const documented = Object.keys(operation?.['responses'] ?? {});
  expect(documented, `${method} ${template}`).toContain(String(status));
}

/** A connection that sends exactly what it is told. */
export class RawClient {
  readonly socket: Socket;
  #received = '';

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1');
    });
  }

  static async to(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port) });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  get received(): string {
    return this.#received;
  }

  send(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  /** Waits until the answers so far fit `pattern`. */
  async receive(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#received)) {
      if (this.socket.closed) throw new Error(`Closed after ${JSON.stringify(this.#received)}.`);
      await this.#next(['data', 'close']);
    }
    return this.#received;
  }

  /** Everything that was received until the connection closed. */
  async receiveAll(): Promise<string> {
    if (!this.socket.closed) await this.#next(['close']);
    return this.#received;
  }

  async destroy(): Promise<void> {
    this.socket.destroy();
    await this.receiveAll();
  }

  /** Unlike `once` of node:events this does not mind errors: a server may cut a connection. */
  #next(events: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      const { socket } = this;
      const settle = (): void => {
        for (const event of events) socket.off(event, settle);
        resolve();
      };
      for (const event of events) socket.on(event, settle);
    });
  }
}

/** The code in the body of an error, which stands elsewhere for clients of OpenAI. */
export function codeIn(body: string): ErrorCode {
  const { code, error } = JSON.parse(body) as {
    code?: ErrorCode;
    error?: string | { code: ErrorCode };
  };
  if (typeof error === 'string') return /\((\w+)\)$/.exec(error)?.[1] as ErrorCode;
  return error?.code ?? (code as ErrorCode);
}

/** The coded error of an answer: `pool_full 507`. */
export function codeOf(answer: Answer): string {
  expect(answer.headers['content-type']).toBe('application/problem+json');
  const problem = answer.json();
  expect(problem['status']).toBe(answer.status);
  expect(typeof problem['detail']).toBe('string');
  expect(typeof problem['advice']).toBe('string');
  return `${String(problem['code'])} ${answer.status}`;
}
