/** Handlers about the server itself. */

import { fail } from '../../errors.ts';
import { tenantJson } from './admin.ts';
import type { PoolExchange, RoutedExchange, Service } from './exchange.ts';
import { metricsType } from './exposition.ts';
import { metricsPage } from './metrics.ts';
import { sendJson, sendText } from './send.ts';
import type { TrafficStats } from './traffic.ts';

/** The process answers. */
export function health(exchange: RoutedExchange): void {
  sendJson(exchange, 200, { status: 'ok' });
}

/** New requests are welcome. */
export function readiness(exchange: RoutedExchange): void {
  if (exchange.service.phase !== 'serving') fail('shutting_down', 'The server is shutting down.');
  sendJson(exchange, 200, { status: 'ready' });
}

export function openApi(exchange: RoutedExchange): void {
  sendText(exchange, 200, exchange.service.openApi, 'application/json');
}

/** Of the caller's tenant; of the server too for those who may administer it: its traffic is that of others. */
export function stats(exchange: PoolExchange): void {
  const { pool, caller, service } = exchange;
  const tenant = service.guard.tenants().find(({ name }) => name === caller.tenant);
  const http = caller.can('admin') ? { http: trafficOf(service) } : {};
  const own = tenant === undefined ? {} : { tenant: tenantJson(tenant) };
  sendJson(exchange, 200, { pool: pool.stats(), ...own, ...http });
}

/** Likewise. */
export function metrics(exchange: RoutedExchange): void {
  const { caller, service } = exchange;
  const seesAll = caller === undefined || caller.can('admin');
  const only = seesAll ? undefined : caller.tenant;
  const page = metricsPage(service.guard, trafficOf(service), only, service.resp?.stats());
  sendText(exchange, 200, page, metricsType);
}

function trafficOf({ traffic, inFlight }: Service): TrafficStats {
  return traffic.stats(inFlight.usedBytes);
}
