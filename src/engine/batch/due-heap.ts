/** What falls due, soonest first, and of what falls due at once what was set first: a binary heap whose members know their place, so that any of them leaves in O(log n). */

export interface Due {
  /** Time of the clock. */
  dueMs: number;
  /** Tells apart what falls due at once. */
  dueTurn: number;
  /** Place in the heap; −1: in none. */
  heapIndex: number;
}

export class DueHeap<T extends Due> {
  readonly #members: T[] = [];
  #turns = 0;

  get size(): number {
    return this.#members.length;
  }

  /** Infinity when there is nothing. */
  get nextMs(): number {
    return this.#members[0]?.dueMs ?? Infinity;
  }

  /** Takes `member` in, moves it, or with Infinity lets it go. */
  set(member: T, dueMs: number): void {
    if (dueMs === Infinity) {
      this.delete(member);
      return;
    }
    member.dueMs = dueMs;
    this.#turns += 1;
    member.dueTurn = this.#turns;
    if (member.heapIndex < 0) {
      member.heapIndex = this.#members.length;
      this.#members.push(member);
    }
    this.#sink(this.#rise(member.heapIndex));
  }

  delete(member: T): void {
    const index = member.heapIndex;
    if (index < 0) return;
    member.heapIndex = -1;
    member.dueMs = Infinity;
    const last = this.#members.pop() as T;
    if (last === member) return;
    this.#place(last, index);
    this.#sink(this.#rise(index));
  }

  /** The next of those due at `nowMs`, taken out. */
  take(nowMs: number): T | undefined {
    const first = this.#members[0];
    if (first === undefined || first.dueMs > nowMs) return undefined;
    this.delete(first);
    return first;
  }

  #place(member: T, index: number): void {
    this.#members[index] = member;
    member.heapIndex = index;
  }

  #rise(from: number): number {
    let index = from;
    const member = this.#members[index] as T;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const other = this.#members[above] as T;
      if (!isSooner(member, other)) break;
      this.#place(other, index);
      index = above;
    }
    this.#place(member, index);
    return index;
  }

  #sink(from: number): void {
    let index = from;
    const member = this.#members[index] as T;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= this.#members.length) break;
      const [left, right] = [this.#members[below] as T, this.#members[below + 1]];
      if (right !== undefined && isSooner(right, left)) below += 1;
      const other = this.#members[below] as T;
      if (!isSooner(other, member)) break;
      this.#place(other, index);
      index = below;
    }
    this.#place(member, index);
  }
}

function isSooner(one: Due, other: Due): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.dueTurn < other.dueTurn);
}
