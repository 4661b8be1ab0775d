/** Handlers about the server itself. */

import { fail } from '../../errors.ts';
import { tenantJson } from './admin.ts';
import type { PoolExchange, RoutedExchange, Service } from './exchange.ts';
import { metricsType } from './exposition.ts';
import { measuredTenantsMax, metricsText } from './metrics.ts';
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
  const { guard } = service;
  const seesAll = caller === undefined || caller.can('admin');
  const shown = guard.tenants().filter(({ name }) => seesAll || name === caller.tenant);
  const measured = shown
    .slice(0, measuredTenantsMax)
    .map((status) => ({ status, pool: guard.poolStats(status.name) }));
  const server = { traffic: trafficOf(service), tenants: shown.length };
  const text = metricsText(measured, seesAll ? server : undefined);
  sendText(exchange, 200, text, metricsType);
}

function trafficOf({ traffic, inFlight }: Service): TrafficStats {
  return traffic.stats(inFlight.usedBytes);
}
