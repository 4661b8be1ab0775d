/** What the continuous batcher asks of a model that makes tokens, and what it gives to callers. */

import type { Timers } from '../../base/timers.ts';

/** A sequence, as the model sees it. */
export interface Run<M> {
  /** What the caller gave with it. */
  readonly meta: M;
  readonly tenant: string;
  /** Prompt and answer so far, `length` of them; more room may follow. */
  readonly tokens: Int32Array;
  readonly length: number;
  /** So many of them are in the state. */
  readonly computed: number;
  /** From 0; −1 while it has none. */
  readonly slot: number;
}

/**
 * One step: member `i` computes `counts[i]` tokens of `runs[i]`, from `tokens[computed]` on. Where `samples[i]` is 1 the model writes what follows
 * into `next[i]`. The same tables each time: they hold for this step only.
 */
export interface StepBatch<M> {
  readonly size: number;
  /** Of all members. */
  readonly tokens: number;
  readonly runs: readonly (Run<M> | undefined)[];
  readonly counts: Int32Array;
  readonly samples: Uint8Array;
  readonly next: Int32Array;
}

export type RunEnd = 'finished' | 'cancelled' | 'expired' | 'failed' | 'preempted' | 'closed';

/** One call at a time. After each `begin` comes one `end`, or one `preempt`, before anybody else has the slot. */
export interface TokenModel<M> {
  /**
   * A sequence has a slot whose state is as if nothing had been. State that is kept elsewhere may be brought back.
   * @returns of how many tokens it is there: fewer than `run.length`. Rejects to refuse this sequence alone.
   */
  begin(run: Run<M>): number | Promise<number>;
  /** Rejects to fail all that are in the batch. */
  step(batch: StepBatch<M>): void | Promise<void>;
  /** Keeps the state elsewhere and frees the slot; `begin` comes again later. Without it `end` is called, and everything computed again. */
  preempt?(run: Run<M>): void | Promise<void>;
  /** Frees the slot. A rejection closes the batcher: what the slot holds is not known then. */
  end(run: Run<M>, reason: RunEnd): void | Promise<void>;
}

export interface ContinuousOptions<M> {
  readonly model: TokenModel<M>;
  /** Sequences at a time. */
  readonly slots: number;
  /** Tokens of one step, of all sequences: at least one per slot. Default 512. */
  readonly stepTokens?: number;
  /** Tokens of a prompt that one step computes: others go on meanwhile. Default 128. */
  readonly chunkTokens?: number;
  /** Chunks end at multiples of `chunkTokens` and are never cut short, so that a prompt is computed in the same pieces whoever else is there. Default false. */
  readonly alignChunks?: boolean;
  /**
   * A step goes beyond its tokens for a chunk that is as long as the one before and of a slot beside it, until there are so many: what computes them
   * together takes less time than one after the other. Default 1.
   */
  readonly joinedChunks?: number;
  /** Tokens that all slots together hold. Default Infinity. */
  readonly capacityTokens?: number;
  /** Tokens of the longest sequence. Default `capacityTokens`. */
  readonly contextTokens?: number;
  /** Steps that a sequence has before it may have to make room for another tenant. Default 64 where the model can preempt, otherwise Infinity. */
  readonly sliceSteps?: number;
  /** Sequences that wait; one more is refused with engine_busy. Default 256. */
  readonly queueMax?: number;
  /** Of one tenant, so that nobody fills the queue alone. Default `queueMax`. */
  readonly tenantQueueMax?: number;
  readonly timers?: Timers;
}

export interface ContinuousRequest<M> {
  readonly tokens: ArrayLike<number>;
  readonly maxTokens: number;
  readonly meta: M;
  /** Whose turn it is. From the credential. Default ''. */
  readonly tenant?: string;
  /** Called with each token. True: this was the last one. */
  readonly onToken?: (token: number) => boolean;
  /** Time of the clock: refused with engine_deadline then, wherever it is. */
  readonly deadlineMs?: number;
  /** Refused with `aborted`, wherever it is; its slot is free at the next step. */
  readonly signal?: AbortSignal;
}

export interface ContinuousResult {
  /** The answer. */
  readonly tokens: Int32Array;
  /** `stop`: onToken said so. `length`: maxTokens, or no more fit. */
  readonly reason: 'stop' | 'length';
  /** Tokens of the prompt whose state was brought back at the first begin. */
  readonly restoredTokens: number;
}

/** Sums since opening. accepted = finished + failed + expired + cancelled + waiting + running, always. */
export interface ContinuousStats {
  readonly accepted: number;
  readonly refused: number;
  readonly finished: number;
  readonly failed: number;
  readonly expired: number;
  readonly cancelled: number;
  readonly waiting: number;
  /** With a slot, and somebody waits for the answer. */
  readonly running: number;
  readonly slotsTaken: number;
  readonly preempted: number;
  readonly steps: number;
  readonly restoredTokens: number;
  readonly computedTokens: number;
  readonly generatedTokens: number;
}
