/**
 * Slots of instances, each with one owner at a time. The lowest slot goes first, and of several instances the first that has it, so that sequences
 * spread over instances and stay low in their batches.
 *
 * ```
 *   seat       0  1  2   3  4  5  …      seat = slot × instances + instance
 *   slot       0  0  0   1  1  1
 *   instance   0  1  2   0  1  2
 * ```
 */

export const noSeat = -1;

/** Who can have a slot. */
export interface Seated {
  seat: number;
  slot: number;
  instance: number;
}

export class Seats<T extends Seated> {
  readonly #owners: (T | undefined)[];
  readonly #instances: number;
  #taken = 0;

  constructor(slots: number, instances: number) {
    this.#owners = Array.from({ length: slots * instances });
    this.#instances = instances;
  }

  get taken(): number {
    return this.#taken;
  }

  get hasFree(): boolean {
    return this.#taken < this.#owners.length;
  }

  owner(slot: number, instance: number): T | undefined {
    return this.#owners[slot * this.#instances + instance];
  }

  /** Only while there is a free one. */
  seat(owner: T): void {
    const seat = this.#owners.indexOf(undefined);
    this.#owners[seat] = owner;
    this.#taken += 1;
    owner.seat = seat;
    owner.slot = Math.floor(seat / this.#instances);
    owner.instance = seat % this.#instances;
  }

  /** Nothing happens where `owner` has none. It keeps its slot's number, which what it left behind may ask for. */
  leave(owner: T): void {
    if (owner.seat === noSeat) return;
    this.#owners[owner.seat] = undefined;
    this.#taken -= 1;
    owner.seat = noSeat;
  }
}
