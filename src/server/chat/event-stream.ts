/** Server-sent events, and a comment where none has come for a while: clients and proxies take a connection on which nothing moves for one that was cut. */

import { Alarm } from '../../base/timers.ts';
import type { RoutedExchange } from '../http/exchange.ts';
import { sendHead, writeText } from '../http/send.ts';

const headers = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store',
  // For proxies that would gather it.
  'X-Accel-Buffering': 'no',
};

/** Readers of event streams pass over lines that begin so. */
const comment = ': still here\n\n';

export class EventStream implements Disposable {
  readonly #exchange: RoutedExchange;
  readonly #first: () => object | undefined;
  readonly #everyMs: number;
  readonly #alarm: Alarm;
  #lastMs: number;

  /** @param first called once, when it begins; gives the first event */
  constructor(exchange: RoutedExchange, first: () => object | undefined) {
    const { timers, limits } = exchange.service;
    this.#exchange = exchange;
    this.#first = first;
    // Or we ourselves would cut it.
    this.#everyMs = Math.min(limits.streamKeepAliveMs, limits.idleTimeoutMs / 2);
    this.#lastMs = timers.nowMs();
    this.#alarm = new Alarm(timers, () => this.#look());
    this.#alarm.set(this.#lastMs + this.#everyMs);
  }

  /** Sends the head, once. */
  begin(): void {
    const { res } = this.#exchange;
    if (res.headersSent) return;
    sendHead(this.#exchange, 200, headers);
    const first = this.#first();
    if (first !== undefined) res.write(textOf(first));
  }

  /** Resolves when there is room for more, or nobody is there any more. */
  write(data: object): Promise<void> {
    this.begin();
    this.#lastMs = this.#exchange.service.timers.nowMs();
    return writeText(this.#exchange.res, textOf(data));
  }

  #look(): void {
    const { res, service } = this.#exchange;
    if (res.destroyed || res.writableEnded) return;
    const nowMs = service.timers.nowMs();
    if (nowMs >= this.#lastMs + this.#everyMs) {
      this.#lastMs = nowMs;
      this.begin();
      // Whoever does not read is not to be kept by it.
      if (!res.writableNeedDrain) res.write(comment);
    }
    this.#alarm.set(this.#lastMs + this.#everyMs);
  }

  [Symbol.dispose](): void {
    this.#alarm.set(Infinity);
  }
}

function textOf(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}
