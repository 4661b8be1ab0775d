/**
 * Least recently used, exactly: what is in nobody's use stands in the order in which it was released.
 *
 * Whoever uses a block uses all before it, and releases the last of a chain first. So a block stands before those that it extends, the first in
 * the list is always a leaf, and neither `leaf` nor `branch` has anything to do.
 */

import { noPlace, type Policy, type PolicyName, type SessionHint, type StopReason } from './api.ts';

/** Neighbour of a place that is not in the list. */
const outside = -2;

export class Lru implements Policy {
  readonly name: PolicyName = 'lru';
  /** (before, after) of each place; behind them those of the list's ends: its last and its first place. */
  readonly #links: Int32Array;
  readonly #ends: number;

  /** @param capacity places of the cache */
  constructor(capacity: number) {
    this.#links = new Int32Array(2 * capacity + 2);
    this.#ends = 2 * capacity;
    this.reset();
  }

  begin(
    _request: number,
    _nowMs: number,
    _inputTokens: number,
    _keys: Int32Array,
    _count: number,
  ): void {}

  extend(_request: number, _keyLow: number, _keyHigh: number): void {}

  place(_request: number, _depth: number, _place: number): void {}

  release(place: number): void {
    const links = this.#links;
    const ends = this.#ends;
    const at = place << 1;
    const last = links[ends] as number;
    links[at] = last;
    links[at + 1] = ends;
    links[last + 1] = at;
    links[ends] = at;
  }

  retain(place: number): void {
    const links = this.#links;
    const at = place << 1;
    const before = links[at] as number;
    if (before === outside) return;
    const after = links[at + 1] as number;
    links[before + 1] = after;
    links[after] = before;
    links[at] = outside;
  }

  leaf(_place: number): void {}

  branch(_place: number): void {}

  victim(): number {
    const first = this.#links[this.#ends + 1] as number;
    return first === this.#ends ? noPlace : first >> 1;
  }

  admits(_request: number, _depth: number): boolean {
    return true;
  }

  gone(place: number): void {
    this.retain(place);
  }

  end(
    _request: number,
    _nowMs: number,
    _outputTokens: number,
    _stop: StopReason,
    _hint: SessionHint,
  ): void {}

  reset(): void {
    this.#links.fill(outside);
    this.#links[this.#ends] = this.#ends;
    this.#links[this.#ends + 1] = this.#ends;
  }
}
