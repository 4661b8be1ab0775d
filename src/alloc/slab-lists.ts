/**
 * Which slabs an owner has: per stack a list of those with free blocks, and a ring of the full ones.
 * Slabs are named by number: segment · windows per segment + window. All on the JavaScript heap.
 */

export const noSlab = -1;

export class SlabLists {
  /** First slab with free blocks of each stack. */
  readonly partial: Int32Array;
  /** The full slab of each stack that waits longest since it was looked at. */
  readonly #full: Int32Array;
  #next: Int32Array = new Int32Array(0);
  #previous: Int32Array = new Int32Array(0);

  constructor(stacks: number) {
    this.partial = new Int32Array(stacks).fill(noSlab);
    this.#full = new Int32Array(stacks).fill(noSlab);
  }

  /** Makes room for slab numbers below `count`. */
  cover(count: number): void {
    this.#next = resized(this.#next, count);
    this.#previous = resized(this.#previous, count);
  }

  addPartial(stack: number, slab: number): void {
    const head = this.partial[stack] as number;
    this.#next[slab] = head;
    this.#previous[slab] = noSlab;
    if (head !== noSlab) this.#previous[head] = slab;
    this.partial[stack] = slab;
  }

  removePartial(stack: number, slab: number): void {
    const next = this.#next[slab] as number;
    const previous = this.#previous[slab] as number;
    if (next !== noSlab) this.#previous[next] = previous;
    if (previous === noSlab) this.partial[stack] = next;
    else this.#next[previous] = next;
  }

  /** The slab with free blocks behind `slab`, or noSlab. */
  nextPartial(slab: number): number {
    return this.#next[slab] as number;
  }

  /** Puts a full slab where it is looked at last. */
  addFull(stack: number, slab: number): void {
    const first = this.#full[stack] as number;
    if (first === noSlab) {
      this.#full[stack] = slab;
      this.#next[slab] = slab;
      this.#previous[slab] = slab;
      return;
    }
    const last = this.#previous[first] as number;
    this.#next[last] = slab;
    this.#previous[slab] = last;
    this.#next[slab] = first;
    this.#previous[first] = slab;
  }

  removeFull(stack: number, slab: number): void {
    const next = this.#next[slab] as number;
    const previous = this.#previous[slab] as number;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    if (this.#full[stack] === slab) this.#full[stack] = next === slab ? noSlab : next;
  }

  /** The full slab that waits longest, which from now on is the one looked at last; or noSlab. */
  turnFull(stack: number): number {
    const slab = this.#full[stack] as number;
    if (slab !== noSlab) this.#full[stack] = this.#next[slab] as number;
    return slab;
  }

  /** All slabs of a stack. */
  all(stack: number): number[] {
    const slabs: number[] = [];
    for (let slab = this.partial[stack] as number; slab !== noSlab;) {
      slabs.push(slab);
      slab = this.#next[slab] as number;
    }
    slabs.push(...this.full(stack));
    return slabs;
  }

  /** The full slabs of a stack, or so many of those that wait longest. */
  full(stack: number, most: number = Infinity): number[] {
    const slabs: number[] = [];
    const first = this.#full[stack] as number;
    for (let slab = first; slab !== noSlab && slabs.length < most;) {
      slabs.push(slab);
      slab = this.#next[slab] as number;
      if (slab === first) break;
    }
    return slabs;
  }

  clear(): void {
    this.partial.fill(noSlab);
    this.#full.fill(noSlab);
  }
}

function resized(array: Int32Array, length: number): Int32Array {
  const copy = new Int32Array(length);
  copy.set(array.subarray(0, length));
  return copy;
}
