/**
 * A queue that is fair to tenants: deficit round robin (Shreedhar and Varghese, 1996).
 *
 * Each tenant with something queued has a lane, first in, first out; lanes stand in a ring. A lane whose turn comes is granted a quantum on top of
 * what it has left, and gives away what that pays for. While two lanes both have something queued, what they have been served differs by at most
 *
 *     quantum + 2 × the largest cost
 *
 * A lane that runs empty loses what it has left: nobody saves up. With one tenant the order is that of arrival.
 *
 * The order can be looked at beforehand (`begin`, `peek`), because how much of it makes a good batch is known afterwards only.
 *
 * ```
 *            turn
 *             ▼
 *   ┌─▶ lane "a" ──▶ lane "b" ──▶ lane "c" ─┐      a lane that is new comes in last: before the one whose turn it is
 *   │    3 · 1 · 4    2            1 · 1    │      numbers: costs of what is queued
 *   └───────────────────────────────────────┘
 * ```
 */

/** What can be queued, in one queue at a time; the queue keeps its links in the members themselves. */
export interface Fair<T> {
  readonly tenant: string;
  /** At least 1. May change while not queued. */
  readonly cost: number;
  lane: Lane<T> | undefined;
  before: T | undefined;
  after: T | undefined;
}

/** The ring as it is, and as it would be after what was looked at. */
const real = 0;
const seen = 1;
type Which = typeof real | typeof seen;

class Lane<T> {
  readonly tenant: string;
  readonly first: [T | undefined, T | undefined] = [undefined, undefined];
  readonly left: [number, number] = [0, 0];
  last: T | undefined;
  size = 0;
  /** The look that `first[seen]` and `left[seen]` belong to. */
  look = 0;
  next: Lane<T> = this;
  previous: Lane<T> = this;

  constructor(tenant: string) {
    this.tenant = tenant;
  }
}
export type { Lane };

export class FairQueue<T extends Fair<T>> {
  readonly #quantum: number;
  readonly #lanes = new Map<string, Lane<T>>();
  readonly #turn: [Lane<T> | undefined, Lane<T> | undefined] = [undefined, undefined];
  /** Whether the lane whose turn it is has been granted its quantum. */
  readonly #granted: [boolean, boolean] = [false, false];
  #look = 0;
  #unseen = 0;
  #size = 0;
  #cost = 0;

  /** @param quantum what a lane is granted per turn, at least 1 */
  constructor(quantum: number) {
    this.#quantum = quantum;
  }

  get size(): number {
    return this.#size;
  }

  /** Of all that is queued. */
  get cost(): number {
    return this.#cost;
  }

  sizeOf(tenant: string): number {
    return this.#lanes.get(tenant)?.size ?? 0;
  }

  get tenants(): number {
    return this.#lanes.size;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (const lane of this.#lanes.values())
      for (let item = lane.first[real]; item !== undefined; item = item.after) yield item;
  }

  /** Last of its tenant. */
  push(item: T): void {
    const lane = this.#enter(item);
    item.before = lane.last;
    if (lane.last === undefined) lane.first[real] = item;
    else lane.last.after = item;
    lane.last = item;
  }

  /** First of its tenant: it goes on where it was interrupted. */
  pushFront(item: T): void {
    const lane = this.#enter(item);
    const first = lane.first[real];
    item.after = first;
    if (first === undefined) lane.last = item;
    else first.before = item;
    lane.first[real] = item;
  }

  remove(item: T): void {
    const lane = item.lane;
    if (lane === undefined) return;
    if (item.before === undefined) lane.first[real] = item.after;
    else item.before.after = item.after;
    if (item.after === undefined) lane.last = item.before;
    else item.after.before = item.before;
    item.lane = item.before = item.after = undefined;
    lane.size -= 1;
    this.#size -= 1;
    this.#cost -= item.cost;
    if (lane.last === undefined) this.#close(lane);
  }

  /** Takes out whoever is next. */
  take(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#next(real);
    this.remove(item);
    return item;
  }

  /** Begins to look from the front. Any change ends the look. */
  begin(): void {
    this.#look += 1;
    this.#unseen = this.#size;
    this.#turn[seen] = this.#turn[real];
    this.#granted[seen] = this.#granted[real];
  }

  /** Whoever comes next, after those that this look has shown already. */
  peek(): T | undefined {
    if (this.#unseen === 0) return undefined;
    this.#unseen -= 1;
    const item = this.#next(seen);
    (this.#turn[seen] as Lane<T>).first[seen] = item.after;
    return item;
  }

  /** Whose turn it is, paid for. */
  #next(which: Which): T {
    for (;;) {
      const lane = this.#turn[which] as Lane<T>;
      if (which === seen && lane.look !== this.#look) {
        lane.look = this.#look;
        lane.first[seen] = lane.first[real];
        lane.left[seen] = lane.left[real];
      }
      const item = lane.first[which];
      if (item !== undefined) {
        if (!this.#granted[which]) lane.left[which] += this.#quantum;
        this.#granted[which] = true;
        if (item.cost <= lane.left[which]) {
          lane.left[which] -= item.cost;
          return item;
        }
      }
      this.#turn[which] = lane.next;
      this.#granted[which] = false;
    }
  }

  #enter(item: T): Lane<T> {
    const lane = this.#lanes.get(item.tenant) ?? this.#open(item.tenant);
    item.lane = lane;
    lane.size += 1;
    this.#size += 1;
    this.#cost += item.cost;
    return lane;
  }

  #open(tenant: string): Lane<T> {
    const lane = new Lane<T>(tenant);
    this.#lanes.set(tenant, lane);
    const turn = this.#turn[real];
    if (turn === undefined) {
      this.#turn[real] = lane;
      this.#granted[real] = false;
      return lane;
    }
    lane.next = turn;
    lane.previous = turn.previous;
    turn.previous.next = lane;
    turn.previous = lane;
    return lane;
  }

  #close(lane: Lane<T>): void {
    this.#lanes.delete(lane.tenant);
    lane.previous.next = lane.next;
    lane.next.previous = lane.previous;
    if (this.#turn[real] !== lane) return;
    this.#turn[real] = lane.next === lane ? undefined : lane.next;
    this.#granted[real] = false;
  }
}
