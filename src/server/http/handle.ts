/** One request from its headers to its answer. */

import { fail } from '../../errors.ts';
import { authorise } from './authorise.ts';
import type { Exchange, PoolHandler, RoutedExchange } from './exchange.ts';
import { Reservation } from './in-flight.ts';
import { parseQuery, splitTarget } from './query.ts';
import type { Router } from './router.ts';
import { sendProblem, settled } from './send.ts';

/**
 * Answers, whatever happens; never rejects. Resolves when nothing of the answer waits in this
 * process any more.
 */
export async function handle(exchange: Exchange, router: Router): Promise<void> {
  const { res, service } = exchange;
  const done = settled(res);
  service.traffic.running++;
  try {
    await dispatch(exchange, router);
  } catch (error) {
    // A problem holds nothing, however long the rest of the body takes to be read and dropped.
    exchange.reservation?.close();
    const { path } = splitTarget(exchange.req.url ?? '');
    sendProblem(exchange, error, router.dialectOf(path));
  }
  await done;
  exchange.reservation?.close();
  service.traffic.running--;
}

/**
 * In this order: nothing is looked up, and no body read, for those who have no key; and of what others keep nothing at all, since a
 * caller has its own pool and no other.
 */
async function dispatch(exchange: Exchange, router: Router): Promise<void> {
  const { req, service } = exchange;
  const { method = '', url = '' } = req;
  if (service.phase === 'closing') fail('shutting_down', 'The server is shutting down.');
  const { path, query } = splitTarget(url);
  const open = router.isOpen(path) || (service.publicMetrics && path === '/metrics');
  const caller = open ? undefined : authorise(service.guard, req);
  checkMessage(exchange, url);
  if (caller !== undefined) exchange.reservation = new Reservation(caller, service.inFlight);
  const { route, id, part } = router.find(method, path);
  if (route.scope !== undefined) caller?.demand(route.scope);
  const routed = Object.assign(exchange, {
    id,
    part,
    query: parseQuery(query, route.query ?? []),
    caller,
  });
  if (route.pool === undefined) await route.handle(routed);
  else await handlePooled(route.handle, routed);
}

async function handlePooled(handler: PoolHandler, exchange: RoutedExchange): Promise<void> {
  const { caller, reservation } = exchange;
  if (caller === undefined || reservation === undefined) {
    fail('unauthorized', 'What a pool keeps needs a key.');
  }
  const pool = caller.pool ?? (await caller.open());
  await handler(Object.assign(exchange, { pool, caller, reservation }));
}

/** @throws uri_too_long, invalid_argument */
function checkMessage({ req, service }: Exchange, url: string): void {
  const { maxUrlBytes } = service.limits;
  if (url.length > maxUrlBytes) {
    fail(
      'uri_too_long',
      `The request target has ${url.length} bytes; at most ${maxUrlBytes} are allowed.`,
    );
  }
  if (req.headers.host === undefined && req.httpVersion === '1.1') {
    fail('invalid_argument', 'The request has no Host header.');
  }
  if ((req.headersDistinct['host']?.length ?? 0) > 1) {
    fail('invalid_argument', 'The request has more than one Host header.');
  }
  const { expect } = req.headers;
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
    fail('invalid_argument', `Expect ${JSON.stringify(expect)} is not supported.`);
  }
}
