/** The server of pools: makes the parts, and starts and stops them. */

import { fail } from '../errors.ts';
import { systemClock, type Clock } from '../base/clock.ts';
import { systemTimers, type Timers } from '../base/timers.ts';
import type { LlamaEngine } from '../engine/api.ts';
import type { Embedder, InferModel } from '../engine/onnx/api.ts';
import type { Pool } from '../pool/api.ts';
import type { ServedGuard } from '../guard/api.ts';
import type { Auth } from '../guard/keyring.ts';
import { assertAuthSafe } from '../guard/loopback.ts';
import { poolGuard } from '../guard/pool-guard.ts';
import type { Service } from './http/exchange.ts';
import { handle } from './http/handle.ts';
import { InFlight } from './http/in-flight.ts';
import { resolveLimits, type HttpLimits } from './http/limits.ts';
import { openApiOf } from './http/openapi.ts';
import { Router } from './http/router.ts';
import { routes } from './http/routes.ts';
import { Traffic, type TrafficStats } from './http/traffic.ts';
import { Wire } from './http/wire.ts';
import type { RespLimits } from './resp/limits.ts';
import { makeRespService } from './resp/service.ts';
import type { RespService } from './resp/session.ts';
import { modelNumbersOf } from './model-numbers.ts';
import { numbersOf, type ServerNumbers } from './numbers.ts';
import type { RespStats } from './resp/traffic.ts';
import { RespWire } from './resp/wire.ts';

export interface ServerOptions {
  /** One pool, of one tenant; with `auth`. Stays open when the server closes. */
  readonly pool?: Pool;
  /** Keys that are accepted; `none` is refused except on loopback. */
  readonly auth?: Auth;
  /** In place of `pool` and `auth`: many tenants with a pool each. Stays open when the server closes. */
  readonly guard?: ServedGuard;
  /** Default 127.0.0.1, port 8080; port 0 takes a free one. */
  readonly http?: { readonly host?: string; readonly port?: number };
  /** Speaks RESP too, for the clients of Redis. Default port 6380, and the host of HTTP; without it there is no such port. */
  readonly resp?: { readonly host?: string; readonly port?: number };
  readonly limits?: Partial<HttpLimits>;
  readonly respLimits?: Partial<RespLimits>;
  /** Gives /metrics without a credential. Default false: counts say what is stored here. */
  readonly publicMetrics?: boolean;
  /**
   * Told of errors without a code, which clients see as 500 with nothing of their inside. Default:
   * a process warning.
   */
  readonly onError?: (error: unknown) => void;
  /** Answers /v1/chat/completions and /v1/completions. Stays open when the server closes. */
  readonly engine?: LlamaEngine;
  /** Answers /v1/embeddings. Stays open when the server closes. */
  readonly embedder?: Embedder;
  /** Answer /v2/models/NAME/infer. Stay open when the server closes. */
  readonly inferModels?: readonly InferModel[];
  readonly clock?: Clock;
  /** For what is sent where nothing has come for a while. Default: those of the system. */
  readonly timers?: Timers;
  /** Where the server is one of several workers: asks all of them. Default: there is this one. */
  readonly gather?: () => Promise<ServerNumbers>;
}

export interface CloseReport {
  /** Connections that were still busy at the deadline. */
  readonly cutConnections: number;
}

export interface CenoteServer {
  /** Where the server listens, once it does. */
  readonly urls: readonly string[];
  /** Likewise for RESP: `resp://127.0.0.1:6380`; undefined where it is not spoken. */
  readonly respUrl: string | undefined;
  /** @throws io_failed when the address cannot be listened on */
  listen(): Promise<void>;
  stats(): TrafficStats;
  /** Undefined where RESP is not spoken. */
  respStats(): RespStats | undefined;
  /** All that this process counts. */
  numbers(): ServerNumbers;
  /**
   * Makes /readyz say 503, while everything is still answered: for a load balancer to look away.
   */
  drain(): void;
  /**
   * Stops accepting, answers running requests until the deadline (default 10 s), then cuts.
   * Idempotent.
   */
  close(options?: { readonly deadlineMs?: number }): Promise<CloseReport>;
}

const defaultHost = '127.0.0.1';
const defaultPort = 8080;
const defaultRespPort = 6380;
const defaultDeadlineMs = 10_000;
const maxPort = 65_535;

/**
 * @example
 * const pool = await openPool({ path: './data/tenants/default' });
 * const { keyring } = await loadOrCreateKey('./data');
 * const server = createServer({ pool, auth: keyring });
 * await server.listen();
 *
 * @throws invalid_argument for limits out of bounds, no authentication on an address that others can
 * reach, or neither a pool with `auth` nor a guard
 */
export function createServer(options: ServerOptions): CenoteServer {
  const { host = defaultHost, port = defaultPort } = options.http ?? {};
  const { host: respHost = host, port: respPort = defaultRespPort } = options.resp ?? {};
  const guard = guardOf(options);
  assertAddress(host, port, guard);
  assertAddress(respHost, respPort, guard);
  const respService = options.resp === undefined ? undefined : respServiceOf(options, guard);
  const service: Service = {
    ...serviceOf(options, guard),
    numbers: options.gather ?? ownNumbers,
  };
  const router = new Router(routes);
  const wire = new Wire(service, (exchange) => handle(exchange, router));
  const respWire = respService === undefined ? undefined : new RespWire(respService);
  const urls: string[] = [];
  let respUrl: string | undefined;
  let closing: Promise<CloseReport> | undefined;

  function ownNumbers(): ServerNumbers {
    const http = service.traffic.stats(service.inFlight.usedBytes);
    const models = modelNumbersOf(service.embedder, service.inferModels);
    return numbersOf(guard, http, respService?.traffic.stats(), service.engine, models);
  }

  function enter(phase: 'draining' | 'closing'): void {
    service.phase = phase;
    if (respService !== undefined) respService.phase = phase;
  }

  return {
    urls,
    get respUrl() {
      return respUrl;
    },
    async listen() {
      const address = await wire.listen(host, port);
      urls.push(urlOf('http', host, address.port));
      if (respWire === undefined) return;
      try {
        respUrl = urlOf('resp', respHost, (await respWire.listen(respHost, respPort)).port);
      } catch (error) {
        await wire.close(0);
        throw error;
      }
    },
    stats: () => service.traffic.stats(service.inFlight.usedBytes),
    respStats: () => respService?.traffic.stats(),
    numbers: ownNumbers,
    drain() {
      if (service.phase === 'serving') enter('draining');
    },
    close({ deadlineMs = defaultDeadlineMs } = {}) {
      enter('closing');
      closing ??= Promise.all([wire.close(deadlineMs), respWire?.close(deadlineMs) ?? 0]).then(
        ([http, resp]) => ({ cutConnections: http + resp }),
      );
      return closing;
    },
  };
}

/** @throws invalid_argument */
function assertAddress(host: string, port: number, guard: ServedGuard): void {
  if (!Number.isInteger(port) || port < 0 || port > maxPort) {
    fail('invalid_argument', `A port is a whole number from 0 to ${maxPort}; got ${port}.`);
  }
  if (guard.anonymous !== undefined) assertAuthSafe(host, 'none');
}

function respServiceOf(options: ServerOptions, guard: ServedGuard): RespService {
  const { respLimits: limits, clock, onError = warn } = options;
  return makeRespService({ guard, limits, clock, onError });
}

function guardOf({ pool, auth, guard }: ServerOptions): ServedGuard {
  if (guard !== undefined && pool === undefined && auth === undefined) return guard;
  if (guard === undefined && pool !== undefined && auth !== undefined) return poolGuard(pool, auth);
  return fail('invalid_argument', 'A server takes a pool and auth, or a guard in place of both.');
}

function serviceOf(options: ServerOptions, guard: ServedGuard): Omit<Service, 'numbers'> {
  const limits = resolveLimits(options.limits);
  return {
    guard,
    limits,
    publicMetrics: options.publicMetrics ?? false,
    inFlight: new InFlight(limits.maxInFlightBytes),
    traffic: new Traffic(),
    onError: options.onError ?? warn,
    openApi: JSON.stringify(openApiOf(routes)),
    engine: options.engine,
    embedder: options.embedder,
    inferModels: modelsByName(options.inferModels),
    timers: options.timers ?? systemTimers,
    startedMs: (options.clock ?? systemClock).nowMs(),
    phase: 'serving',
  };
}

/** Names stand in paths, and as labels of metrics. @throws invalid_argument */
function modelsByName(models: readonly InferModel[] = []): ReadonlyMap<string, InferModel> {
  for (const { name } of models) {
    if (!/^[\w.-]{1,64}$/.test(name))
      fail(
        'invalid_argument',
        `A model is called by up to 64 letters, digits, '.', '_' and '-'; got ${name}.`,
      );
  }
  const byName = new Map(models.map((model) => [model.name, model]));
  if (byName.size < models.length) fail('invalid_argument', 'Two models have the same name.');
  return byName;
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}

/** A URL that works on this machine: a wildcard address is not one. */
function urlOf(scheme: string, host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  const bare = reachable.replace(/^\[(.*)\]$/, '$1');
  return `${scheme}://${bare.includes(':') ? `[${bare}]` : bare}:${port}`;
}
