/** What the workers of a server and the process that started them tell each other. */

import type { ServerNumbers } from '../server/numbers.ts';
import type { Listening } from './serve-announce.ts';

export type FromWorker =
  | { readonly type: 'listening'; readonly at: Listening }
  | { readonly type: 'failed'; readonly code: string | undefined; readonly message: string }
  /** Wants the numbers of all workers. */
  | { readonly type: 'gather'; readonly id: number }
  /** Its own, as it was asked for. */
  | { readonly type: 'numbers'; readonly id: number; readonly numbers: ServerNumbers }
  /** Its last. */
  | { readonly type: 'stopped'; readonly cutConnections: number; readonly numbers: ServerNumbers };

export type ToWorker =
  | { readonly type: 'stop' }
  | { readonly type: 'tell'; readonly id: number }
  /** Undefined when some did not answer in time. */
  | { readonly type: 'gathered'; readonly id: number; readonly all?: readonly ServerNumbers[] };

/** The number of a worker is passed to it in the environment. */
export const workerVariable = 'CENOTE_WORKER';

/** Workers have so long to tell their numbers. */
export const gatherMs = 2_000;
