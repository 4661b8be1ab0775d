/** Progress of a long command on stderr: one line redrawn in a terminal, a few plain lines elsewhere. */

import type { Clock } from '../base/clock.ts';
import { bar, formatBytes, formatDuration, formatShare } from './format.ts';
import { fit, padEnd, padStart, type Palette } from './ansi.ts';
import type { Output } from './io.ts';

/** A terminal line is redrawn at most this often. */
const redrawMs = 100;
/** Without a terminal a line is printed at each tenth, but no more often than this. */
const plainLineMs = 2000;
/** The rate is that of about the last three seconds. */
const rateWindowMs = 3000;

export interface ProgressState {
  readonly done: number;
  readonly total: number;
  readonly elapsedMs: number;
  /** Units per second; 0 while unknown. */
  readonly perSecond: number;
}

export interface ProgressOptions {
  readonly label: string;
  readonly output: Output;
  readonly paint: Palette;
  readonly clock: Clock;
  /** How amounts are written. Default: as bytes. */
  readonly format?: (amount: number) => string;
}

/** The line of a state: `Snapshot ━━━━━━╸      47.1 %  1.20 / 2.55 GiB  1.02 GiB/s  1.3 s left`. Pure. */
export function progressLine(
  label: string,
  state: ProgressState,
  width: number,
  paint: Palette,
  format: (amount: number) => string,
): string {
  const share = state.total === 0 ? 1 : state.done / state.total;
  const amounts = `${format(state.done)} of ${format(state.total)}`;
  const rate = state.perSecond > 0 ? `${format(state.perSecond)}/s` : '';
  const remaining = timeLeft(state);
  const right = [padStart(formatShare(share, 1), 6), amounts, rate, remaining]
    .filter((text) => text !== '')
    .join('  ');
  const barWidth = Math.min(40, width - label.length - right.length - 4);
  const drawn =
    barWidth < 6 ? '' : `${paint.cyan(bar(share, barWidth, paint.colours ? ' ' : '·'))} `;
  return fit(`${label} ${drawn} ${right}`, width);
}

function timeLeft(state: ProgressState): string {
  if (state.done >= state.total) return `in ${formatDuration(state.elapsedMs)}`;
  if (state.perSecond <= 0) return '';
  return `${formatDuration(((state.total - state.done) / state.perSecond) * 1000)} left`;
}

export class Progress {
  readonly #options: ProgressOptions;
  readonly #format: (amount: number) => string;
  readonly #startMs: number;
  /** Samples (time, done) within the rate window, oldest first. */
  readonly #samples: { atMs: number; done: number }[];
  #state: ProgressState = { done: 0, total: 0, elapsedMs: 0, perSecond: 0 };
  #drawnMs = -Infinity;
  #drawnTenth = 0;
  #drawn = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#format = options.format ?? formatBytes;
    this.#startMs = options.clock.nowMs();
    this.#samples = [{ atMs: this.#startMs, done: 0 }];
  }

  update(done: number, total: number): void {
    const nowMs = this.#options.clock.nowMs();
    this.#measure(nowMs, done, total);
    if (this.#options.output.isTTY === true) {
      if (nowMs - this.#drawnMs < redrawMs) return;
      this.#redraw(nowMs);
    } else {
      const tenth = total === 0 ? 0 : Math.floor((10 * done) / total);
      if (tenth <= this.#drawnTenth || tenth >= 10 || nowMs - this.#drawnMs < plainLineMs) return;
      this.#drawnTenth = tenth;
      this.#drawnMs = nowMs;
      this.#options.output.write(`${this.#line(100)}\n`);
    }
  }

  /** Draws the last state with the average rate and goes to the next line. */
  finish(): void {
    const nowMs = this.#options.clock.nowMs();
    const elapsedMs = nowMs - this.#startMs;
    const perSecond = elapsedMs > 0 ? (this.#state.done / elapsedMs) * 1000 : 0;
    this.#state = { ...this.#state, elapsedMs, perSecond };
    if (this.#options.output.isTTY === true) this.#redraw(nowMs);
    else this.#options.output.write(this.#line(100));
    this.#options.output.write('\n');
  }

  /** Removes the line, so that an error can stand in its place. */
  clear(): void {
    if (this.#drawn) this.#options.output.write('\r\x1b[K');
  }

  /** A line of its own, above the progress. */
  note(text: string): void {
    this.clear();
    this.#options.output.write(`${text}\n`);
  }

  #measure(nowMs: number, done: number, total: number): void {
    while (this.#samples.length > 1 && nowMs - (this.#samples[1]?.atMs ?? nowMs) >= rateWindowMs)
      this.#samples.shift();
    const newest = this.#samples.at(-1);
    if (newest === undefined || nowMs - newest.atMs >= redrawMs)
      this.#samples.push({ atMs: nowMs, done });
    const oldest = this.#samples[0] as { atMs: number; done: number };
    const spanMs = nowMs - oldest.atMs;
    const perSecond = spanMs > 0 ? ((done - oldest.done) / spanMs) * 1000 : 0;
    this.#state = { done, total, elapsedMs: nowMs - this.#startMs, perSecond };
  }

  #redraw(nowMs: number): void {
    this.#drawnMs = nowMs;
    this.#drawn = true;
    this.#options.output.write(
      `\r${padEnd(this.#line((this.#options.output.columns ?? 80) - 1), 1)}\x1b[K`,
    );
  }

  #line(width: number): string {
    return progressLine(this.#options.label, this.#state, width, this.#options.paint, this.#format);
  }
}
