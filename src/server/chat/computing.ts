/** While an answer is computed. */

import type { RoutedExchange } from '../http/exchange.ts';

/**
 * A connection on which nothing moves is closed after a while, but not while the answer is being computed.
 *
 * @returns goes back to that
 */
export function withoutIdleTimeout({ req, service }: RoutedExchange): () => void {
  req.socket.setTimeout(0);
  return () => void req.socket.setTimeout(service.limits.idleTimeoutMs);
}

/** Computes an answer as long as its client waits. @param compute `signal`: the client has gone */
export async function whileComputing<T>(
  exchange: RoutedExchange,
  compute: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { res, reservation } = exchange;
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  res.once('close', leave);
  const awake = withoutIdleTimeout(exchange);
  try {
    const result = await compute(gone.signal);
    reservation?.checkCaller();
    return result;
  } finally {
    awake();
    res.off('close', leave);
  }
}
