/** One request from its headers to its answer. */

import { fail } from '../../errors.ts';
import { authorise } from './authorise.ts';
import type { Exchange } from './exchange.ts';
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
    sendProblem(exchange, error);
  }
  await done;
  service.traffic.running--;
}

/** In this order: nothing is looked up, and no body read, for those who have no key. */
async function dispatch(exchange: Exchange, router: Router): Promise<void> {
  const { req, service } = exchange;
  const { method = '', url = '' } = req;
  if (service.phase === 'closing') fail('shutting_down', 'The server is shutting down.');
  const { path, query } = splitTarget(url);
  const open = router.isOpen(path) || (service.publicMetrics && path === '/metrics');
  if (!open) authorise(service.auth, req);
  checkMessage(exchange, url);
  const { route, id, part } = router.find(method, path);
  const parameters = parseQuery(query, route.query ?? []);
  await route.handle(Object.assign(exchange, { id, part, query: parameters }));
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
