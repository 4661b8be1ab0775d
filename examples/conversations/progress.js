/** A progress bar on stderr; where stderr is no terminal, only its last state. */

const width = 32;
const redrawMs = 100;

export class Progress {
  #label;
  #total;
  #done = 0;
  #startMs = performance.now();
  #drawnMs = -Infinity;

  /** @param {string} label @param {number} total */
  constructor(label, total) {
    this.#label = label;
    this.#total = total;
  }

  /** @param {number} count */
  add(count) {
    this.#done += count;
    if (process.stderr.isTTY && performance.now() - this.#drawnMs >= redrawMs) this.#draw();
  }

  /** Draws the end and returns the seconds it took. */
  finish() {
    this.#draw();
    process.stderr.write('\n');
    return (performance.now() - this.#startMs) / 1000;
  }

  #draw() {
    this.#drawnMs = performance.now();
    const filled = Math.round((width * this.#done) / Math.max(1, this.#total));
    const bar = '█'.repeat(filled) + '░'.repeat(width - filled);
    const seconds = (this.#drawnMs - this.#startMs) / 1000;
    const start = process.stderr.isTTY ? '\r' : '';
    process.stderr.write(
      `${start}${this.#label.padEnd(10)} ${bar} ${this.#done}/${this.#total} ${seconds.toFixed(1)} s`,
    );
  }
}
