/** One request and its response, with what the handlers share. */

import type { IncomingMessage, ServerResponse } from 'node:http';

import type { Timers } from '../../base/timers.ts';
import type { CenoteError } from '../../errors.ts';
import type { LlamaEngine } from '../../engine/api.ts';
import type { Embedder, InferModel } from '../../engine/onnx/api.ts';
import type { Pool } from '../../pool/api.ts';
import type { Caller, ServedGuard } from '../../guard/api.ts';
import type { InFlight, Reservation } from './in-flight.ts';
import type { HttpLimits } from './limits.ts';
import type { ServerNumbers } from '../numbers.ts';
import type { Query } from './query.ts';
import type { Traffic } from './traffic.ts';

/** `draining`: still answering, no longer ready. `closing`: only running requests are answered. */
export type Phase = 'serving' | 'draining' | 'closing';

export interface Service {
  readonly guard: ServedGuard;
  readonly limits: HttpLimits;
  readonly publicMetrics: boolean;
  readonly inFlight: InFlight;
  readonly traffic: Traffic;
  /** Of the whole server, all its workers. @throws overloaded when one of them does not answer */
  readonly numbers: () => ServerNumbers | Promise<ServerNumbers>;
  readonly onError: (error: unknown) => void;
  readonly openApi: string;
  /** Answers completions; undefined: there is no model. */
  readonly engine: LlamaEngine | undefined;
  /** Makes vectors of texts; undefined: there is no such model. */
  readonly embedder: Embedder | undefined;
  /** Models of tensors, by their names. */
  readonly inferModels: ReadonlyMap<string, InferModel>;
  readonly timers: Timers;
  readonly startedMs: number;
  phase: Phase;
}

export interface Exchange {
  readonly service: Service;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** What the request holds; undefined until it has a caller. Given back when its answer is sent. */
  reservation: Reservation | undefined;
  /** The client waits for `100 Continue` before it sends its body, and has not got it. */
  awaitsContinue: boolean;
  /** The message broke while its body was arriving. */
  fault: CenoteError | undefined;
  /** Set while the body is being received or dropped: ends that. */
  interrupt: ((error: CenoteError) => void) | undefined;
}

/** An exchange whose route is known; `id` and `part` are empty where the path has none. */
export interface RoutedExchange extends Exchange {
  readonly id: string;
  readonly part: string;
  readonly query: Query;
  /** Undefined for routes that need no credential. */
  readonly caller: Caller | undefined;
}

/** An exchange about what the caller's pool keeps. */
export interface PoolExchange extends RoutedExchange {
  readonly caller: Caller;
  readonly pool: Pool;
  readonly reservation: Reservation;
}

export type Handler = (exchange: RoutedExchange) => void | Promise<void>;
export type PoolHandler = (exchange: PoolExchange) => void | Promise<void>;
