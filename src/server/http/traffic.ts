/** Counters of the HTTP server, for /metrics and /v1/stats. */

export interface TrafficStats {
  readonly connections: number;
  readonly running: number;
  readonly inFlightBytes: number;
  /** Answers by status. */
  readonly responses: Readonly<Record<string, number>>;
}

export class Traffic {
  connections = 0;
  running = 0;
  readonly #responses = new Map<number, number>();

  answered(status: number): void {
    this.#responses.set(status, (this.#responses.get(status) ?? 0) + 1);
  }

  stats(inFlightBytes: number): TrafficStats {
    const ordered = [...this.#responses].sort(([a], [b]) => a - b);
    return {
      connections: this.connections,
      running: this.running,
      inFlightBytes,
      responses: Object.fromEntries(ordered.map(([status, count]) => [String(status), count])),
    };
  }
}
