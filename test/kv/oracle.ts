/**
 * A cache of blocks as naive as can be: arrays, maps and strings, in which the key of a block is the text of all tokens up to its end. It
 * predicts every block number that the real one hands out.
 */

const none = -1;

export interface Known {
  readonly tokens: number[];
  readonly scope: string;
  readonly table: number[];
  matched: number;
  published: number;
  computed: number;
  windowFrom: number;
}

export class Oracle {
  readonly sequences: Map<number, Known> = new Map();
  readonly #blocks: number;
  readonly #blockTokens: number;
  readonly #window: number;
  readonly #free: number[];
  /** Least recently released first. */
  readonly #idle: number[] = [];
  readonly #users: number[];
  readonly #keys: (string | undefined)[] = [];
  readonly #found: Map<string, number> = new Map();
  readonly #holders: Map<number, number> = new Map();
  readonly #before: Map<number, number> = new Map();

  constructor(blocks: number, blockTokens: number, window: number) {
    this.#blocks = blocks;
    this.#blockTokens = blockTokens;
    this.#window = window;
    this.#free = Array.from({ length: blocks }, (_, i) => i);
    this.#users = Array.from({ length: blocks }, () => 0);
  }

  get counts(): { free: number; idle: number; used: number; cached: number } {
    const free = this.#free.length;
    const idle = this.#idle.length;
    return { free, idle, used: this.#blocks - free - idle, cached: this.#found.size };
  }

  prefill(tokens: number[], scope: string, lookUp: boolean, computed: boolean): Known | undefined {
    const size = this.#blockTokens;
    const table = lookUp ? this.#match(tokens, scope) : [];
    const matched = table.length;
    const idle = table.filter((block) => block !== none && this.#users[block] === 0);
    const need = Math.ceil(tokens.length / size) - matched;
    if (need > this.#free.length + this.#idle.length - idle.length) return undefined;
    for (const block of table) if (block !== none) this.retain(block);
    for (let i = 0; i < need; i++) this.#evictFor(need - i);
    for (let i = 0; i < need; i++) table.push(this.#take());
    const firstHeld = table.findIndex((block) => block !== none);
    const known: Known = {
      tokens,
      scope,
      table,
      matched,
      published: matched,
      computed: computed ? Infinity : matched * size,
      windowFrom: matched === 0 ? 0 : firstHeld,
    };
    this.publish(known);
    return known;
  }

  append(known: Known, tokens: number[]): { grew: boolean; copied: boolean } | undefined {
    this.#slide(known);
    const size = this.#blockTokens;
    const { length } = known.tokens;
    const missing = Math.max(0, Math.ceil((length + tokens.length) / size) - known.table.length);
    const tail = Math.floor(length / size);
    const copied = length % size > 0 && (this.#users[known.table[tail] as number] as number) > 1;
    const need = missing + (copied ? 1 : 0);
    if (need > this.#free.length + this.#idle.length) return undefined;
    this.#evictFor(need);
    if (copied) {
      const from = known.table[tail] as number;
      known.table[tail] = this.#take();
      this.release(from);
    }
    for (let i = 0; i < missing; i++) known.table.push(this.#take());
    known.tokens.push(...tokens);
    this.publish(known);
    return { grew: missing > 0, copied };
  }

  fork(known: Known): Known {
    const held = Math.ceil(known.tokens.length / this.#blockTokens);
    const table = known.table.slice(0, held);
    for (const block of table) if (block !== none) this.retain(block);
    const matched = Math.floor(known.tokens.length / this.#blockTokens);
    return { ...known, tokens: [...known.tokens], table, matched };
  }

  end(known: Known): void {
    for (let i = known.table.length - 1; i >= known.windowFrom; i--) {
      const block = known.table[i] as number;
      if (block !== none) this.release(block);
    }
  }

  /** Forgets what it wrote itself, from the end up to the first block that others use or extend. */
  withdraw(known: Known): void {
    const full = Math.floor(known.tokens.length / this.#blockTokens);
    for (let i = full - 1; i >= Math.max(known.matched, known.windowFrom); i--) {
      const block = known.table[i] as number;
      const isExtended = [...this.#before.values()].includes(block);
      if (isExtended || (this.#users[block] as number) > 1) return;
      if (this.#keys[block] !== undefined) this.#forget(block);
    }
  }

  reserve(known: Known, tokens: number): boolean {
    const wanted = Math.ceil((known.tokens.length + tokens) / this.#blockTokens);
    const missing = Math.max(0, wanted - known.table.length);
    if (missing > this.#free.length + this.#idle.length) return false;
    this.#evictFor(missing);
    for (let i = 0; i < missing; i++) known.table.push(this.#take());
    return true;
  }

  trim(known: Known): number {
    const used = Math.ceil(known.tokens.length / this.#blockTokens);
    const freed = known.table.splice(used);
    for (const block of freed.reverse()) this.release(block);
    return freed.length;
  }

  publish(known: Known): void {
    const size = this.#blockTokens;
    const end = Math.floor(Math.min(known.tokens.length, known.computed) / size);
    for (let i = known.published; i < end; i++) {
      const block = known.table[i] as number;
      const key = this.keyOf(known, i);
      if (this.#keys[block] === key || this.#holders.has(block)) continue;
      const holder = this.#found.get(key);
      if (holder !== undefined) {
        this.#holders.set(block, holder);
        this.retain(holder);
        continue;
      }
      this.#keys[block] = key;
      this.#found.set(key, block);
      const before = i === 0 ? undefined : this.#found.get(this.keyOf(known, i - 1));
      if (this.#window === 0 && before !== undefined) this.#before.set(block, before);
    }
    known.published = Math.max(known.published, end);
  }

  keyOf(known: Known, index: number): string {
    return `${known.scope}:${known.tokens.slice(0, (index + 1) * this.#blockTokens).join()}`;
  }

  retain(block: number): void {
    if (this.#users[block] === 0) this.#idle.splice(this.#idle.indexOf(block), 1);
    this.#users[block] = (this.#users[block] as number) + 1;
  }

  release(block: number): void {
    this.#users[block] = (this.#users[block] as number) - 1;
    if (this.#users[block] > 0) return;
    if (this.#keys[block] !== undefined) {
      this.#idle.push(block);
      return;
    }
    this.#free.push(block);
    const holder = this.#holders.get(block);
    this.#holders.delete(block);
    if (holder !== undefined) this.release(holder);
  }

  #match(tokens: number[], scope: string): number[] {
    const size = this.#blockTokens;
    const limit = Math.floor((tokens.length - 1) / size);
    const found = Array.from(
      { length: limit },
      (_, i) => this.#found.get(`${scope}:${tokens.slice(0, (i + 1) * size).join()}`) ?? none,
    );
    if (this.#window === 0) {
      const missing = found.indexOf(none);
      return missing < 0 ? found : found.slice(0, missing);
    }
    // The longest prefix whose last blocks are there, as many as are looked back into.
    const wanted = Math.ceil((this.#window - 1) / size);
    for (let end = limit; end > 0; end--) {
      const from = Math.max(0, end - wanted);
      if (!found.slice(from, end).includes(none)) {
        return found.slice(0, end).map((block, i) => (i < from ? none : block));
      }
    }
    return [];
  }

  #slide(known: Known): void {
    if (this.#window === 0) return;
    const first = Math.floor((known.tokens.length - this.#window + 1) / this.#blockTokens);
    while (known.windowFrom < Math.min(first, known.published)) {
      const block = known.table[known.windowFrom] as number;
      known.table[known.windowFrom++] = none;
      if (block !== none) this.release(block);
    }
  }

  #evictFor(count: number): void {
    while (this.#free.length < count) {
      const block = this.#idle.shift() as number;
      this.#forget(block);
      this.#free.push(block);
    }
  }

  #forget(block: number): void {
    this.#found.delete(this.#keys[block] as string);
    this.#keys[block] = undefined;
    this.#before.delete(block);
  }

  #take(): number {
    const block = this.#free.shift() as number;
    this.#users[block] = 1;
    return block;
  }
}
