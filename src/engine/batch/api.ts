/**
 * Batchers: requests of many callers go to a model together.
 *
 * - `DynamicBatcher` for models without state: whoever waits is put together.
 * - `SequenceBatcher` for models with state: requests of a sequence go one after the other, each sequence with its own state.
 * - `ContinuousBatcher` for models that make tokens: sequences join and leave between any two steps.
 *
 * The first two behave as Triton's do, said in the words of its documentation of batchers; where they do not, it is said here. Times are
 * milliseconds. All of them are fair to tenants, bounded, and refuse with a code.
 */

import type { Timers } from '../../base/timers.ts';

/** Of one level of priority. */
export interface QueuePolicy {
  /** Longest time in the queue; Infinity: none. Default Infinity. */
  readonly timeoutMs?: number;
  /** What then happens: `reject` refuses with engine_deadline; `delay` puts behind all of its level that are in time. Default `reject`. */
  readonly timeoutAction?: 'reject' | 'delay';
  /** Whether a request may set a time of its own; it only counts when it is shorter. Default false. */
  readonly allowTimeoutOverride?: boolean;
  /** Requests that may wait; one more is refused with engine_busy. Default 1,024. */
  readonly queueMax?: number;
}

/** When those who wait make a batch. */
export interface BatchShape {
  /** Rows of the largest batch. */
  readonly batchMax: number;
  /** Sizes that the model likes. The largest of them that can be made is made; otherwise any size up to `batchMax`. Default none. */
  readonly preferredBatchSizes?: readonly number[];
  /** How long a request may wait for others to make a preferred size, or the largest. Default 0. */
  readonly queueDelayMs?: number;
}

export interface DynamicOptions<I, O> extends BatchShape {
  readonly execute: Execute<Work<I>, O>;
  /** Batches at a time. Default 1. */
  readonly instances?: number;
  /** Answers come in the order of the requests. With one level of priority only. Refusals do not wait. Default false. */
  readonly preserveOrdering?: boolean;
  /** Levels of priority; 1 is the most urgent. Default 1. */
  readonly priorityLevels?: number;
  /** Of requests that name none. Default the least urgent. */
  readonly defaultPriority?: number;
  readonly defaultQueuePolicy?: QueuePolicy;
  /** Per level; what is not given is as in `defaultQueuePolicy`. */
  readonly priorityQueuePolicies?: Readonly<Record<number, QueuePolicy>>;
  /** Rows that a tenant may send before it is another's turn. Default 1. */
  readonly fairRows?: number;
  readonly timers?: Timers;
}

/**
 * Runs a batch.
 * @param instance from 0: it runs one batch at a time
 * @returns an answer per member; an Error refuses that one alone. Rejects to refuse them all.
 */
export type Execute<W, O> = (
  batch: readonly W[],
  instance: number,
) => Promise<readonly (O | Error)[]>;

/** A request in a batch. */
export interface Work<I> {
  readonly input: I;
  readonly tenant: string;
  readonly rows: number;
  /** Nobody waits for the answer any more. */
  readonly cancelled: boolean;
}

export interface SubmitOptions {
  /** Whose turn it is. From the credential. Default ''. */
  readonly tenant?: string;
  /** How much of a batch it takes. Default 1. */
  readonly rows?: number;
  /** 1 to `priorityLevels`; 0 or none: `defaultPriority`. */
  readonly priority?: number;
  /** Longest time in the queue, where the policy allows it and it is shorter than the policy's. */
  readonly queueTimeoutMs?: number;
  /** Time of the clock from when on nobody needs the answer: the request is refused with engine_deadline, wherever it is. */
  readonly deadlineMs?: number;
  /** Ends the request with `aborted`, wherever it is. What runs is not interrupted; its answer is dropped. */
  readonly signal?: AbortSignal;
}

/** Sums since opening. accepted = completed + failed + expired + cancelled + queued + running + held, always. */
export interface DynamicStats {
  readonly accepted: number;
  /** Not accepted. */
  readonly refused: number;
  readonly completed: number;
  readonly failed: number;
  readonly expired: number;
  readonly cancelled: number;
  readonly queued: number;
  /** In a batch, and somebody waits for the answer. */
  readonly running: number;
  /** Answers that wait for one before them. */
  readonly held: number;
  readonly batches: number;
  readonly rows: number;
  readonly idleInstances: number;
}
