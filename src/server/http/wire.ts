/**
 * The node:http server below the routes: connections, their order of requests, malformed messages,
 * shutdown.
 */

import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { CenoteError, type ErrorCode, fail } from '../../errors.ts';
import type { Exchange, Service } from './exchange.ts';
import { problemOf, problemType } from './problem.ts';

/** What is known of a connection. */
interface Connection {
  readonly socket: Socket;
  /** The request that arrived last. */
  latest: Exchange | undefined;
  /** Resolves when all requests so far are answered. */
  last: Promise<void>;
  /** Requests that are not answered yet. */
  waiting: number;
  /**
   * Bytes that had arrived when the last answer was sent: none since, and the connection is idle.
   */
  seenBytes: number;
  /** A message was malformed: what follows it is dropped. */
  broken: boolean;
}

export class Wire {
  readonly #service: Service;
  readonly #answer: (exchange: Exchange) => Promise<void>;
  readonly #server: Server;
  readonly #connections = new Map<Duplex, Connection>();
  /** Requests that still hold memory of the pool, or may: their connections can be gone. */
  readonly #running = new Set<Promise<void>>();

  constructor(service: Service, answer: (exchange: Exchange) => Promise<void>) {
    const { limits } = service;
    this.#service = service;
    this.#answer = answer;
    this.#server = createServer({
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: limits.timeoutCheckMs,
      // Node answers a missing Host without a body; checkMessage says what is wrong.
      requireHostHeader: false,
      noDelay: true,
    });
    this.#server.maxConnections = limits.maxConnections;
    // Node drops what comes after 2,000 headers without a word, be it If-Match; maxHeaderSize bounds
    // them all.
    this.#server.maxHeadersCount = 0;
    this.#server.timeout = limits.idleTimeoutMs;
    this.#server.on('connection', (socket) => this.#onConnection(socket));
    this.#server.on('request', (req, res) => this.#onRequest(req, res, false));
    this.#server.on('checkContinue', (req, res) => this.#onRequest(req, res, true));
    this.#server.on('checkExpectation', (req, res) => this.#onRequest(req, res, false));
    this.#server.on('connect', (_, socket) => this.#onConnect(socket));
    this.#server.on('clientError', (error, socket) => this.#onClientError(error, socket));
  }

  /** @throws io_failed when the address cannot be listened on */
  async listen(host: string, port: number): Promise<AddressInfo> {
    const server = this.#server;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host, port }, () => {
          server.off('error', reject);
          resolve();
        });
      });
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
      fail('io_failed', `Could not listen on ${host} port ${port}: ${code}.`, error);
    }
    return server.address() as AddressInfo;
  }

  /**
   * Stops accepting, closes what is idle, and lets running requests finish until the deadline.
   * Afterwards no request holds memory of the pool.
   * @returns how many connections were cut at the deadline
   */
  async close(deadlineMs: number): Promise<number> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const { socket, waiting, seenBytes } of this.#connections.values()) {
      if (waiting === 0 && socket.bytesRead === seenBytes) socket.destroy();
    }
    let cut = 0;
    const timer = setTimeout(() => {
      cut = this.#connections.size;
      for (const { socket } of this.#connections.values()) socket.destroy();
    }, deadlineMs);
    await closed;
    clearTimeout(timer);
    await Promise.all(this.#running);
    return cut;
  }

  #onConnection(socket: Socket): void {
    const connection: Connection = {
      socket,
      latest: undefined,
      last: Promise.resolve(),
      waiting: 0,
      seenBytes: 0,
      broken: false,
    };
    this.#connections.set(socket, connection);
    this.#service.traffic.connections++;
    socket.once('close', () => {
      this.#connections.delete(socket);
      this.#service.traffic.connections--;
    });
  }

  /**
   * Pipelined requests are answered one after the other: a read that follows a write on the same
   * connection sees it, and a connection holds one lease at a time.
   */
  #onRequest(req: IncomingMessage, res: ServerResponse, awaitsContinue: boolean): void {
    const connection = this.#connections.get(req.socket);
    if (connection === undefined) return;
    if (connection.waiting >= this.#service.limits.maxPipelined) {
      req.socket.destroy();
      return;
    }
    // A connection that breaks is seen by those who wait for it; without a listener it would end
    // the process.
    req.on('error', ignore);
    res.on('error', ignore);
    const exchange: Exchange = {
      service: this.#service,
      req,
      res,
      reservation: undefined,
      awaitsContinue,
      fault: undefined,
      interrupt: undefined,
    };
    connection.latest = exchange;
    const first = connection.waiting === 0;
    connection.waiting++;
    const run = first
      ? this.#run(connection, exchange)
      : connection.last.then(() => this.#run(connection, exchange));
    connection.last = run;
    this.#running.add(run);
    void run.then(() => this.#running.delete(run));
  }

  async #run(connection: Connection, exchange: Exchange): Promise<void> {
    const { socket } = connection;
    // An earlier answer may have closed the connection: what nobody can be told of is not done.
    if (!socket.destroyed && !socket.writableEnded) {
      await this.#answer(exchange).catch((error: unknown) => {
        socket.destroy();
        this.#service.onError(error);
      });
    }
    connection.waiting--;
    connection.seenBytes = socket.bytesRead;
    if (this.#service.phase === 'closing' && connection.waiting === 0) socket.destroySoon();
  }

  /**
   * A message that is not HTTP, too large, or too slow. Requests that came before it are answered
   * first.
   */
  #onClientError(error: Error, duplex: Duplex): void {
    const connection = this.#connections.get(duplex);
    if (connection === undefined || connection.broken) return;
    connection.broken = true;
    const { latest, socket, waiting } = connection;
    const within = latest !== undefined && !latest.req.complete;
    if (isReset(error) || (within && waiting === 0)) {
      socket.destroy();
    } else if (within) {
      latest.res.shouldKeepAlive = false;
      latest.fault = wireError(error);
      latest.interrupt?.(latest.fault);
    } else {
      void connection.last.then(() => this.#endWith(socket, wireError(error)));
    }
  }

  #onConnect(duplex: Duplex): void {
    const connection = this.#connections.get(duplex);
    if (connection === undefined) return;
    const { last, socket } = connection;
    const error = new CenoteError('method_not_allowed', 'CONNECT is not possible here.');
    void last.then(() => this.#endWith(socket, error));
  }

  /** Answers what never became a request, and closes. */
  #endWith(socket: Socket, error: CenoteError): void {
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    socket.end(rawProblem(error));
    this.#service.traffic.answered(error.httpStatus);
    // What is still arriving is read and dropped: unread bytes would reset the connection before
    // the answer is seen.
    const timer = setTimeout(() => socket.destroy(), this.#service.limits.lingerMs);
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
  }
}

function ignore(): void {}

function isReset(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

/** What node:http found wrong, as one of our errors. */
function wireError(error: Error): CenoteError {
  const parserCode = 'code' in error ? String(error.code) : 'unknown';
  const codes: Readonly<Record<string, ErrorCode>> = {
    HPE_HEADER_OVERFLOW: 'headers_too_large',
    HPE_CHUNK_EXTENSIONS_OVERFLOW: 'value_too_large',
    ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  };
  const code = codes[parserCode] ?? 'invalid_argument';
  const what = code === 'request_timeout' ? 'did not arrive in time' : 'is malformed';
  return new CenoteError(code, `The HTTP message ${what} (${parserCode}).`);
}

function rawProblem(error: CenoteError): string {
  const { problem } = problemOf(error);
  const body = JSON.stringify(problem);
  return [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? 'Error'}`,
    `Content-Type: ${problemType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
