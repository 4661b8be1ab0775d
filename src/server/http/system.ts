/** Handlers about the server itself. */

import { fail } from '../../errors.ts';
import { tenantJson } from './admin.ts';
import type { PoolExchange, RoutedExchange } from './exchange.ts';
import { metricsType } from './exposition.ts';
import { metricsPage } from './metrics.ts';
import { sendJson, sendText } from './send.ts';

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
export async function stats(exchange: PoolExchange): Promise<void> {
  const { pool, caller, service } = exchange;
  const numbers = await service.numbers();
  const tenant = numbers.tenants.find(({ name }) => name === caller.tenant);
  const http = caller.can('admin') ? { http: numbers.http } : {};
  const own = tenant === undefined ? {} : { tenant: tenantJson(tenant) };
  sendJson(exchange, 200, { pool: pool.stats(), ...own, ...http });
}

/** Likewise. */
export async function metrics(exchange: RoutedExchange): Promise<void> {
  const { caller, service } = exchange;
  const seesAll = caller === undefined || caller.can('admin');
  const only = seesAll ? undefined : caller.tenant;
  const page = metricsPage(await service.numbers(), only);
  sendText(exchange, 200, page, metricsType);
}
