/** How many of something each tenant has. Who has none takes no room. */
export class Tally {
  readonly #counts = new Map<string, number>();
  #all = 0;

  get all(): number {
    return this.#all;
  }

  of(tenant: string): number {
    return this.#counts.get(tenant) ?? 0;
  }

  /** One more, or with −1 one fewer. */
  add(tenant: string, change: 1 | -1): void {
    const count = this.of(tenant) + change;
    this.#all += change;
    if (count === 0) this.#counts.delete(tenant);
    else this.#counts.set(tenant, count);
  }
}
