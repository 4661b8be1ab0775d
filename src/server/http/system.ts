/** Handlers about the server itself. */

import { fail } from '../../errors.ts';
import type { RoutedExchange } from './exchange.ts';
import { metricsText, metricsType } from './metrics.ts';
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

export function stats(exchange: RoutedExchange): void {
  const { pool, traffic, inFlight } = exchange.service;
  sendJson(exchange, 200, { pool: pool.stats(), http: traffic.stats(inFlight.usedBytes) });
}

export function metrics(exchange: RoutedExchange): void {
  const { pool, traffic, inFlight } = exchange.service;
  const text = metricsText(pool.stats(), traffic.stats(inFlight.usedBytes));
  sendText(exchange, 200, text, metricsType);
}
