/**
 * What waits for a batch: levels of priority, each with a policy of its own, each fair to tenants.
 *
 * ```
 *   level 1   in time ▶ late       served from left to right, from top to bottom: whoever is late (his time in the queue is over and the
 *   level 2   in time ▶ late       policy says `delay`) comes after all of his level who are not
 * ```
 */

import { fail } from '../../errors.ts';
import type { QueuePolicy } from './api.ts';
import { FairQueue, type Fair } from './fair-queue.ts';

export interface Prioritised<T> extends Fair<T> {
  /** From 1, the most urgent. */
  readonly level: number;
  readonly arrivedMs: number;
  /** In the second line of its level. */
  late: boolean;
  /** Neighbours in the order of arrival. */
  older: T | undefined;
  newer: T | undefined;
}

export type Policy = Required<QueuePolicy>;

export class PolicyQueue<T extends Prioritised<T>> {
  readonly #policies: readonly Policy[];
  /** Two per level: in time, late. */
  readonly #lines: readonly FairQueue<T>[];
  #looking = 0;
  #oldest: T | undefined;
  #newest: T | undefined;

  /** @param policies of level 1, 2, … */
  constructor(policies: readonly Policy[], quantum: number) {
    this.#policies = policies;
    this.#lines = policies.flatMap(() => [new FairQueue<T>(quantum), new FairQueue<T>(quantum)]);
  }

  get size(): number {
    return this.#lines.reduce((sum, { size }) => sum + size, 0);
  }

  get cost(): number {
    return this.#lines.reduce((sum, { cost }) => sum + cost, 0);
  }

  /** When the one that waits longest came; Infinity when nobody waits. */
  get oldestMs(): number {
    return this.#oldest?.arrivedMs ?? Infinity;
  }

  policyOf(level: number): Policy {
    return this.#policies[level - 1] as Policy;
  }

  /** In the order of priorities, not of service. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (const line of this.#lines) yield* line;
  }

  /**
   * @param more what else takes room of that level
   * @throws engine_busy, and nothing has changed
   */
  push(item: T, more: number): void {
    const { level, tenant } = item;
    const { queueMax, tenantQueueMax } = this.policyOf(level);
    const [inTime, late] = this.#linesOf(level);
    if (inTime.size + late.size + more >= queueMax)
      fail('engine_busy', `The queue is full: ${queueMax} requests of priority ${level}.`);
    if (inTime.sizeOf(tenant) + late.sizeOf(tenant) >= tenantQueueMax)
      fail(
        'engine_busy',
        `${tenantQueueMax} requests of this tenant and of priority ${level} wait.`,
      );
    inTime.push(item);
    item.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = item;
    else this.#newest.newer = item;
    this.#newest = item;
  }

  /** Its time is over: it comes after all of its level that are in time. */
  delay(item: T): void {
    const [inTime, late] = this.#linesOf(item.level);
    inTime.remove(item);
    item.late = true;
    late.push(item);
  }

  remove(item: T): void {
    const [inTime, late] = this.#linesOf(item.level);
    (item.late ? late : inTime).remove(item);
    this.#forget(item);
  }

  /** Whoever is next, taken out. */
  take(): T | undefined {
    for (const line of this.#lines) {
      const item = line.take();
      if (item === undefined) continue;
      this.#forget(item);
      return item;
    }
    return undefined;
  }

  /** Begins to look from the front; any change ends the look. */
  begin(): void {
    for (const line of this.#lines) line.begin();
    this.#looking = 0;
  }

  /** Whoever comes next, after those that this look has shown already. */
  peek(): T | undefined {
    for (; this.#looking < this.#lines.length; this.#looking++) {
      const item = this.#lines[this.#looking]?.peek();
      if (item !== undefined) return item;
    }
    return undefined;
  }

  #linesOf(level: number): [FairQueue<T>, FairQueue<T>] {
    return [this.#lines[2 * level - 2] as FairQueue<T>, this.#lines[2 * level - 1] as FairQueue<T>];
  }

  #forget(item: T): void {
    if (item.older === undefined) this.#oldest = item.newer;
    else item.older.newer = item.newer;
    if (item.newer === undefined) this.#newest = item.older;
    else item.newer.older = item.older;
    item.older = item.newer = undefined;
  }
}
