/** Listens for RESP connections, and looks after those that are there. */

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { CenoteError } from '../../errors.ts';
import { Connection, type StreamHandle, type Waiting } from './connection.ts';
import type { RespService } from './session.ts';

/** A connection that the server has ended has so long to read its last reply and go. */
const lingerMs = 2_000;

/**
 * A connection that is idle for so long is asked whether its client is still there: one that went without a word would keep its place for ever. Redis
 * asks as often.
 */
const keepAliveMs = 300_000;

/** What node:net accepts lies on its handle, which another socket can take over. */
type Accepted = Socket & { _handle: StreamHandle | null };

export class RespWire {
  readonly #service: RespService;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #waiting: Waiting = {
    authenticating: new Set(),
    within: new Set(),
    sending: new Set(),
    ending: new Set(),
  };
  #sweeping: NodeJS.Timeout | undefined;

  constructor(service: RespService) {
    this.#service = service;
    const options = {
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
    };
    this.#server = createServer(options, (socket) => this.#accept(socket as Accepted));
  }

  /** @throws io_failed */
  listen(host: string, port: number): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      const refuse = (cause: Error): void => {
        const message = `Could not listen on ${host} port ${port}: ${cause.message}.`;
        reject(new CenoteError('io_failed', message, { cause }));
      };
      this.#server.once('error', refuse);
      this.#server.listen({ host, port, backlog: backlogMax }, () => {
        this.#server.off('error', refuse);
        this.#server.on('error', this.#service.onError);
        this.#sweeping = setInterval(() => this.sweep(), this.#service.limits.sweepMs);
        this.#sweeping.unref();
        resolve(this.#server.address() as AddressInfo);
      });
    });
  }

  /** Ends what has taken too long. */
  sweep(): void {
    const nowMs = this.#service.clock.nowMs();
    this.#sweepReading(nowMs);
    this.#sweepSending(nowMs);
    for (const connection of this.#waiting.ending) {
      const isTaken = connection.out.waitingBytes === 0;
      if (isTaken && nowMs - connection.endedAtMs >= lingerMs) connection.socket.destroy();
    }
  }

  /**
   * Stops accepting, lets what has begun be answered until the deadline, then cuts. @returns how many connections were cut
   */
  async close(deadlineMs: number): Promise<number> {
    clearInterval(this.#sweeping);
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const connection of this.#connections) connection.finish();
    await this.#allGone(deadlineMs);
    let cut = 0;
    for (const connection of this.#connections) {
      if (connection.endedAtMs === 0) {
        cut++;
        connection.cut('shutdown');
      } else {
        connection.socket.destroy();
      }
    }
    await this.#allGone(Infinity);
    await closed;
    return cut;
  }

  /** Resolves when there is no connection left, or the time is over. */
  #allGone(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = Number.isFinite(limitMs) ? setTimeout(settle, limitMs) : undefined;
      const onGone = (): void => {
        if (this.#connections.size === 0) settle();
      };
      function settle(): void {
        clearTimeout(timer);
        resolve();
      }
      this.#onGone = onGone;
      onGone();
    });
  }

  #onGone: () => void = () => {};

  #accept(accepted: Accepted): void {
    const handle = accepted._handle;
    const { limits, traffic } = this.#service;
    if (handle === null || this.#connections.size >= limits.maxConnections) {
      traffic.closed('too_many');
      accepted.on('error', () => {});
      accepted.end('-ERR max number of clients reached (overloaded)\r\n', () => accepted.destroy());
      return;
    }
    // The handle goes to a socket that says where to read to; its first one, now without, is closed.
    accepted._handle = null;
    accepted.destroy();
    const connection = new Connection(this.#service, handle, this.#waiting);
    this.#connections.add(connection);
    connection.socket.once('close', () => {
      this.#connections.delete(connection);
      this.#onGone();
    });
  }

  #sweepReading(nowMs: number): void {
    const { authTimeoutMs, stallTimeoutMs } = this.#service.limits;
    for (const connection of this.#waiting.authenticating) {
      if (nowMs - (connection.unknownSinceMs ?? nowMs) < authTimeoutMs) continue;
      const message = `no authentication within ${authTimeoutMs} ms`;
      connection.endWith(new CenoteError('unauthorized', message), 'auth_timeout');
    }
    for (const connection of this.#waiting.within) {
      if (nowMs - connection.lastReadMs < stallTimeoutMs) continue;
      // Of one that is not read from, it is the reader that is looked at.
      if (this.#waiting.sending.has(connection)) continue;
      const message = `a command has not gone on for ${stallTimeoutMs} ms`;
      connection.endWith(new CenoteError('request_timeout', message), 'stalled');
    }
  }

  #sweepSending(nowMs: number): void {
    const { traffic, limits } = this.#service;
    const stalled: { readonly connection: Connection; readonly forMs: number }[] = [];
    for (const connection of this.#waiting.sending) {
      const forMs = nowMs - connection.stalledSinceMs(nowMs);
      if (forMs >= limits.stallTimeoutMs) connection.cut('slow_reader');
      else if (forMs >= limits.slowReaderMs) stalled.push({ connection, forMs });
    }
    stalled.sort((a, b) => b.forMs - a.forMs);
    let waitingBytes = traffic.waitingBytes;
    for (const { connection } of stalled) {
      if (waitingBytes <= limits.maxOutputBytes) return;
      waitingBytes -= connection.out.waitingBytes;
      connection.cut('slow_reader');
    }
  }
}

/** Connections that the system holds until they are accepted. */
const backlogMax = 4096;
