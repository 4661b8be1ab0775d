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
  /** Of one tenant, so that nobody fills the queue alone. Default `queueMax`. */
  readonly tenantQueueMax?: number;
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

/** Sums since opening. */
export interface RequestCounts {
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
  readonly batches: number;
}

/** accepted = completed + failed + expired + cancelled + queued + running + held, always. */
export interface DynamicStats extends RequestCounts {
  /** Answers that wait for one before them. */
  readonly held: number;
  readonly rows: number;
  readonly idleInstances: number;
}

export type SequenceId = string | number;

export interface SequenceOptions<I, O, S> {
  readonly strategy: DirectStrategy | OldestStrategy;
  readonly execute: Execute<Step<I, S>, O>;
  /** Rows of the largest batch; each request is one. */
  readonly batchMax: number;
  /** Batches at a time. A sequence stays with its instance. Default 1. */
  readonly instances?: number;
  /** Without it the state of every sequence is undefined. */
  readonly states?: SequenceStates<S>;
  /** A sequence ends when it has no work and none has come for so long. Default 1,000. */
  readonly idleMs?: number;
  /** So long after an answer it does not end for that, however long the answer took. At most `idleMs`. Default 100. */
  readonly graceMs?: number;
  /** Longest time of a request without a slot: then all of its sequence is refused, with engine_deadline. Default Infinity. */
  readonly backlogTimeoutMs?: number;
  /** Sequences that live, work or wait; one more is refused with engine_busy. Default 1,024. */
  readonly sequencesMax?: number;
  /** Sequences of one tenant. Default `sequencesMax`. */
  readonly tenantSequencesMax?: number;
  /** Requests that wait, of all sequences; one more is refused with engine_busy. Default 1,024. */
  readonly queueMax?: number;
  /** Requests that wait, of one tenant. Default `queueMax`. */
  readonly tenantQueueMax?: number;
  /** Requests that wait, of one sequence. Default 64. */
  readonly sequenceQueueMax?: number;
  readonly timers?: Timers;
}

/** Each sequence has a fixed slot of the batch; slots without a request are in it too, not ready. */
export interface DirectStrategy {
  readonly kind: 'direct';
  /** How long a request may wait for others; with `slotUtilizationMin` only. Default 0. */
  readonly queueDelayMs?: number;
  /** Share of the slots, 0 to 1, with which a batch goes without waiting longer. Default 0. */
  readonly slotUtilizationMin?: number;
}

/** So many sequences per instance at a time; their next requests are put together as the dynamic batcher does it. */
export interface OldestStrategy extends Omit<BatchShape, 'batchMax'> {
  readonly kind: 'oldest';
  readonly candidatesMax: number;
  /** Answers come in the order in which the requests became the next of their sequences, per instance. Default false. */
  readonly preserveOrdering?: boolean;
}

/** What a model that knows sequences is told: Triton's control inputs. */
export type Step<I, S> = ReadyStep<I, S> | IdleStep;

export interface ReadyStep<I, S> {
  readonly ready: true;
  /** The first of its sequence; `state` is new. */
  readonly start: boolean;
  /** The last of its sequence. */
  readonly end: boolean;
  readonly id: SequenceId;
  readonly tenant: string;
  readonly input: I;
  /** From 0, within the instance: the place in the batch (direct), or among the candidates (oldest). */
  readonly slot: number;
  /** Of this sequence alone. What is assigned counts when the step succeeds. */
  state: S;
  /** Nobody waits for the answer any more. */
  readonly cancelled: boolean;
}

/** A slot without a request. Its answer is not looked at. */
export interface IdleStep {
  readonly ready: false;
  readonly start: false;
  readonly end: false;
  readonly slot: number;
}

/**
 * Why a sequence is over. `end`: its last request has been answered. `restart`: another START. `idle`: nothing came. `cancelled`: a caller gave up.
 * `expired`: a deadline, or too long without a slot. `failed`: a step failed, and what it left in the state is not known.
 */
export type SequenceEnd =
  | 'end'
  | 'restart'
  | 'idle'
  | 'cancelled'
  | 'expired'
  | 'failed'
  | 'closed';

export interface SequenceIdentity {
  readonly id: SequenceId;
  readonly tenant: string;
  readonly instance: number;
  readonly slot: number;
}

/** Whoever keeps state of sequences hears of every beginning and every end. */
export interface SequenceStates<S> {
  /** State of a sequence that begins: as if nothing had been. Throws to refuse the sequence. */
  begin(sequence: SequenceIdentity): S;
  /** Once for each `begin`, when nothing of the sequence runs any more and before anybody else has its slot. What it throws is counted only. */
  end(state: S, sequence: SequenceIdentity, reason: SequenceEnd): void;
}

export interface SequenceSubmit {
  readonly id: SequenceId;
  /** Needed on the first request of a sequence. */
  readonly start?: boolean;
  /** The id is free from here on. */
  readonly end?: boolean;
  /** From the credential; sequences of different tenants never meet, whatever their ids. Default ''. */
  readonly tenant?: string;
  /** Longest time without a slot, if shorter than `backlogTimeoutMs`. */
  readonly queueTimeoutMs?: number;
  /** Time of the clock: then the sequence is over, with engine_deadline. */
  readonly deadlineMs?: number;
  /** Ends the sequence, with `aborted`; a step of it that runs is not interrupted. */
  readonly signal?: AbortSignal;
}

/** accepted = completed + failed + expired + cancelled + queued + running, always. */
export interface SequenceBatcherStats extends RequestCounts {
  /** Sequences that take requests. */
  readonly live: number;
  /** Sequences without a slot. */
  readonly backlog: number;
  readonly slotsTaken: number;
  /** Ends that `states.end` has thrown at. */
  readonly endsFailed: number;
  /** Sequences that began, and those that ended, by reason. */
  readonly begun: number;
  readonly ended: Readonly<Record<SequenceEnd, number>>;
}
