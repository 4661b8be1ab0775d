/**
 * Memory pressure of the machine or of the container, as Linux tells of it; elsewhere there is never any.
 *
 * - `/proc/pressure/memory`: the share of time in which some task waited for memory.
 * - `memory.current` of this process's cgroup (version 2), less files that it could forget at once, beside `memory.max`.
 */

import type { Clock } from '../base/clock.ts';
import type { Pool } from './api.ts';

/** How often to look. */
export const pressureEveryMs = 5_000;
/** Pressure: tasks waited for memory in more than this share of the last ten seconds … */
const stalledPercentMax = 10;
/** … or the container uses more than this share of what it may. */
const usedShareMax = 0.9;
/** Lasting pressure is not answered again before this time is over: what came free may be wanted by then. */
const reliefPauseMs = 60_000;

/** Reads a file of the kernel. @throws when there is none */
export type KernelReader = (path: string) => string;

/** Whether memory is short. */
export function isUnderPressure(read: KernelReader): boolean {
  return stalledPercent(read) > stalledPercentMax || usedShare(read) > usedShareMax;
}

/** `some avg10=1.53 avg60=0.87 avg300=0.27 total=58761459`: 1.53; 0 where it is not told. */
function stalledPercent(read: KernelReader): number {
  return numberIn(/^some avg10=(\d+\.\d+) /m, tryRead(read, '/proc/pressure/memory'));
}

/** Memory in use of what the cgroup may have: 0 where there is no bound. */
function usedShare(read: KernelReader): number {
  const [, group] = /^0::(\/.*)$/m.exec(tryRead(read, '/proc/self/cgroup')) ?? [];
  if (group === undefined) return 0;
  const folder = `/sys/fs/cgroup${group === '/' ? '' : group}`;
  const maxBytes = numberIn(/^(\d+)$/m, tryRead(read, `${folder}/memory.max`)); // `max` is none
  if (maxBytes === 0) return 0;
  const currentBytes = numberIn(/^(\d+)$/m, tryRead(read, `${folder}/memory.current`));
  const stat = tryRead(read, `${folder}/memory.stat`);
  return (currentBytes - numberIn(/^inactive_file (\d+)$/m, stat)) / maxBytes;
}

function numberIn(pattern: RegExp, text: string): number {
  return Number(pattern.exec(text)?.[1] ?? 0);
}

function tryRead(read: KernelReader, path: string): string {
  try {
    return read(path);
  } catch {
    return '';
  }
}

/** Has a pool give back what it can when memory is short. */
export class PressureRelief {
  readonly #pool: Pick<Pool, 'trim'>;
  readonly #read: KernelReader;
  readonly #clock: Clock;
  #lastMs = -Infinity;

  constructor(pool: Pick<Pool, 'trim'>, read: KernelReader, clock: Clock) {
    this.#pool = pool;
    this.#read = read;
    this.#clock = clock;
  }

  /** To be called every `pressureEveryMs`. @returns bytes given back @throws as `Pool.trim` */
  look(): number {
    const passedMs = this.#clock.nowMs() - this.#lastMs;
    // Time may have been set back.
    if (passedMs >= 0 && passedMs < reliefPauseMs) return 0;
    if (!isUnderPressure(this.#read)) return 0;
    this.#lastMs = this.#clock.nowMs();
    return this.#pool.trim();
  }
}
