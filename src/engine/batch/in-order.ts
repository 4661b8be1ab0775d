/** Hands out answers in the order in which their requests came, whatever the order in which they are ready. */

/** A request's place. */
export interface Ticket<R> {
  readonly request: R;
  isReady: boolean;
  before: Ticket<R> | undefined;
  after: Ticket<R> | undefined;
}

export class InOrder<R> {
  readonly #handOut: (request: R) => void;
  #first: Ticket<R> | undefined;
  #last: Ticket<R> | undefined;
  #held = 0;

  constructor(handOut: (request: R) => void) {
    this.#handOut = handOut;
  }

  /** Answers that wait for one before them. */
  get held(): number {
    return this.#held;
  }

  /** The last place so far. */
  expect(request: R): Ticket<R> {
    const ticket = { request, isReady: false, before: this.#last, after: undefined };
    if (this.#last === undefined) this.#first = ticket;
    else this.#last.after = ticket;
    this.#last = ticket;
    return ticket;
  }

  /** The answer is handed out as soon as all before it have been. */
  ready(ticket: Ticket<R>): void {
    ticket.isReady = true;
    this.#held += 1;
    this.#flush();
  }

  /** Nobody waits for this one any more. Once per ticket, and not when it has been handed out. */
  forget(ticket: Ticket<R>): void {
    if (ticket.isReady) this.#held -= 1;
    this.#unlink(ticket);
    this.#flush();
  }

  #flush(): void {
    for (let ticket = this.#first; ticket?.isReady === true; ticket = this.#first) {
      this.#held -= 1;
      this.#unlink(ticket);
      this.#handOut(ticket.request);
    }
  }

  #unlink({ before, after }: Ticket<R>): void {
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
  }
}
