/** How many connections each tenant has. */

export class TenantCounts {
  readonly #counts = new Map<string, number>();

  of(tenant: string): number {
    return this.#counts.get(tenant) ?? 0;
  }

  add(tenant: string): void {
    this.#counts.set(tenant, this.of(tenant) + 1);
  }

  /** A tenant without connections is forgotten. */
  remove(tenant: string): void {
    const left = this.of(tenant) - 1;
    if (left > 0) this.#counts.set(tenant, left);
    else this.#counts.delete(tenant);
  }
}
