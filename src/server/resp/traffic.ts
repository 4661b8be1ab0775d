/** Counters of the RESP server. */

/** Why the server has closed a connection. */
export const closeReasons = [
  'protocol',
  'refused',
  'auth_timeout',
  'stalled',
  'slow_reader',
  'too_many',
  'shutdown',
] as const;
export type CloseReason = (typeof closeReasons)[number];

export interface RespStats {
  readonly connections: number;
  readonly commands: number;
  /** Error replies, by code. */
  readonly errors: Readonly<Record<string, number>>;
  /** Connections that the server has closed, by reason. */
  readonly closed: Readonly<Record<CloseReason, number>>;
  /** Values being received straight into pools. */
  readonly inFlightBytes: number;
  /** Memory of commands that are not complete. */
  readonly heldBytes: number;
  /** Replies that clients have not taken yet. */
  readonly waitingBytes: number;
}

export class RespTraffic {
  connections = 0;
  accepted = 0;
  commands = 0;
  inFlightBytes = 0;
  heldBytes = 0;
  waitingBytes = 0;
  /** Of these, and of what waits to be parsed, those that are memory of the server. */
  copiedBytes = 0;
  readonly #errors = new Map<string, number>();
  readonly #closed = new Map<CloseReason, number>();

  failed(code: string): void {
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
  }

  closed(reason: CloseReason): void {
    this.#closed.set(reason, (this.#closed.get(reason) ?? 0) + 1);
  }

  stats(): RespStats {
    const closed = closeReasons.map((reason) => [reason, this.#closed.get(reason) ?? 0]);
    return {
      connections: this.connections,
      commands: this.commands,
      errors: Object.fromEntries(this.#errors),
      closed: Object.fromEntries(closed) as Record<CloseReason, number>,
      inFlightBytes: this.inFlightBytes,
      heldBytes: this.heldBytes,
      waitingBytes: this.waitingBytes,
    };
  }
}
