/** What a replay against a server has measured so far. */

import { Histogram } from '../../base/histogram.ts';
import type { Answer } from './lane.ts';

/** What is timed: operations on one block, and requests as a whole. */
export const timed = ['has', 'read', 'write', 'request'] as const;
export type Timed = (typeof timed)[number];

/** Reasons of refusals that are counted apart. */
const maxReasons = 32;
const otherReasons = 'other';

export interface Refusals {
  count: number;
  /** What the server said the first time. */
  readonly example: string;
}

export class Figures {
  requests = 0;
  blockRefs = 0;
  /** Blocks that were there, as were all before them. */
  hits = 0;
  /** Blocks that held other bytes than were written. */
  wrong = 0;
  readBytes = 0;
  writtenBytes = 0;
  /** Requests that had to wait for a free connection after their time had come. */
  late = 0;
  /** By the word that the server used. */
  readonly refused: Map<string, Refusals> = new Map();
  /** In microseconds. */
  readonly latencies: Readonly<Record<Timed, Histogram>> = {
    has: new Histogram(),
    read: new Histogram(),
    write: new Histogram(),
    request: new Histogram(),
  };

  time(what: Timed, durationMs: number): void {
    this.latencies[what].record(durationMs * 1000);
  }

  /** Counts what was not a plain yes or no. */
  note(answer: Answer): void {
    if (answer === 'wrong') this.wrong += 1;
    if (typeof answer === 'string') return;
    const isNew = !this.refused.has(answer.word) && this.refused.size >= maxReasons;
    const word = isNew ? otherReasons : answer.word;
    const reason = this.refused.get(word) ?? { count: 0, example: answer.message };
    reason.count += 1;
    this.refused.set(word, reason);
  }
}

export interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** In milliseconds. */
export function percentiles(latencies: Histogram): Percentiles {
  const at = (q: number): number => latencies.quantile(q) / 1000;
  const { count, max } = latencies;
  return { count, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: max / 1000 };
}
