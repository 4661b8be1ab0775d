/** The text of an answer as its bytes come: whole characters, and nothing of a stop text. */

export class AnswerText {
  readonly #stops: readonly string[];
  readonly #decoder = new TextDecoder();
  /** What may be the beginning of a stop text. */
  #held = '';
  #stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** A stop text came; nothing after it counts. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** @returns what can be said now */
  push(bytes: Uint8Array): string {
    return this.#stopped ? '' : this.#take(this.#decoder.decode(bytes, { stream: true }));
  }

  /** @returns what was held back, at the end */
  end(): string {
    if (this.#stopped) return '';
    const text = this.#take(this.#decoder.decode());
    const rest = text + this.#held;
    this.#held = '';
    return rest;
  }

  #take(text: string): string {
    const all = this.#held + text;
    const cut = this.#stops.reduce((first, stop) => {
      const at = all.indexOf(stop);
      return at < 0 ? first : Math.min(first, at);
    }, Infinity);
    if (cut !== Infinity) {
      this.#stopped = true;
      this.#held = '';
      return all.slice(0, cut);
    }
    const held = this.#stops.reduce((most, stop) => Math.max(most, overlap(all, stop)), 0);
    this.#held = all.slice(all.length - held);
    return all.slice(0, all.length - held);
  }
}

/** Length of the longest end of `text` that `stop` begins with. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}
