/**
 * Plays the requests of a trace against a server, as an engine with a prefix cache would.
 *
 * A request asks for its blocks in order until one is missing, reads those that are there, and writes the others, "computed" meanwhile. Reads and
 * writes go from the last block to the first: of blocks used together the deepest is the first to be evicted, since without an earlier one it is
 * worth nothing.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { requestCount, type Trace } from '../../kv/traces/trace.ts';
import type { BlockBytes } from './block-bytes.ts';
import { Figures, type Timed } from './figures.ts';
import type { Answer, Lane } from './lane.ts';

/** How much faster than its arrival times a trace is played; `flat`: each request as soon as a connection is free. */
export type Speed = number | 'flat';

export interface PlayOptions {
  readonly trace: Trace;
  readonly bytes: BlockBytes;
  /** Each plays one request at a time. */
  readonly lanes: readonly Lane[];
  readonly speed: Speed;
  /** Ends the run before its time. */
  readonly signal: AbortSignal;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  readonly onProgress: (figures: Figures) => void;
}

/** A request that begins later than this after its time counts as late. */
const lateMs = 1;
/** A timer counts milliseconds in 31 bits. */
const maxSleepMs = 2 ** 31 - 1;

export class Player {
  readonly figures: Figures = new Figures();
  readonly #options: PlayOptions;
  readonly #startMs: number;
  readonly #failure = new AbortController();
  /** No further request begins once it aborts. */
  readonly #end: AbortSignal;
  #next = 0;

  constructor(options: PlayOptions) {
    this.#options = options;
    this.#startMs = options.nowMs();
    this.#end = AbortSignal.any([options.signal, this.#failure.signal]);
  }

  get elapsedMs(): number {
    return this.#options.nowMs() - this.#startMs;
  }

  /** True when every request was played. */
  get isComplete(): boolean {
    return this.figures.requests === requestCount(this.#options.trace);
  }

  /** Ends when the trace does, or when the signal aborts and running requests are done. @throws what ended a lane */
  async play(): Promise<void> {
    const outcomes = await Promise.allSettled(
      this.#options.lanes.map((lane) => this.#playOn(lane)),
    );
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') throw outcome.reason;
    }
  }

  async #playOn(lane: Lane): Promise<void> {
    const { trace } = this.#options;
    try {
      while (!this.#end.aborted && this.#next < requestCount(trace)) {
        const request = this.#next;
        this.#next += 1;
        const dueMs = await this.#awaitTurn(request);
        if (this.#end.aborted) return;
        await this.#playRequest(lane, request);
        this.figures.time('request', this.#options.nowMs() - dueMs);
        this.figures.requests += 1;
        this.#options.onProgress(this.figures);
      }
    } catch (error) {
      this.#failure.abort();
      throw error;
    }
  }

  /** @returns when the request was due: what it waits for a free connection is part of its latency */
  async #awaitTurn(request: number): Promise<number> {
    const { speed, trace, nowMs } = this.#options;
    if (speed === 'flat') return nowMs();
    const dueMs = this.#startMs + (trace.arrivalsMs[request] as number) / speed;
    if (nowMs() - dueMs > lateMs) this.figures.late += 1;
    for (let aheadMs = dueMs - nowMs(); aheadMs > 0; aheadMs = dueMs - nowMs()) {
      if (this.#end.aborted) break;
      const sleeping = sleep(Math.min(aheadMs, maxSleepMs), undefined, { signal: this.#end });
      await sleeping.catch(() => {});
    }
    return dueMs;
  }

  async #playRequest(lane: Lane, request: number): Promise<void> {
    const { references, starts } = this.#options.trace;
    const blocks = references.subarray(starts[request], starts[request + 1]);
    const found = await this.#findPrefix(lane, blocks);
    const hits = await this.#readPrefix(lane, blocks.subarray(0, found));
    await this.#writeRest(lane, blocks.subarray(hits));
    this.figures.blockRefs += blocks.length;
    this.figures.hits += hits;
  }

  /** How many blocks from the first on are said to be there. */
  async #findPrefix(lane: Lane, blocks: Int32Array): Promise<number> {
    let found = 0;
    while (found < blocks.length) {
      const window = blocks.subarray(found, found + lane.window);
      const answers = await Promise.all(
        Array.from(window, (block) => this.#timed('has', lane.has(block))),
      );
      const missing = answers.findIndex((answer) => answer !== 'yes');
      if (missing >= 0) return found + missing;
      found += window.length;
    }
    return found;
  }

  /** How many blocks from the first on were there indeed. */
  async #readPrefix(lane: Lane, blocks: Int32Array): Promise<number> {
    let hits = blocks.length;
    await this.#fromLast(lane, blocks, async (block, index) => {
      const answer = await this.#timed('read', lane.read(block));
      if (answer === 'yes') this.figures.readBytes += this.#options.bytes.blockBytes;
      else hits = Math.min(hits, index);
    });
    return hits;
  }

  async #writeRest(lane: Lane, blocks: Int32Array): Promise<void> {
    await this.#fromLast(lane, blocks, async (block) => {
      const answer = await this.#timed('write', lane.write(block));
      if (answer === 'yes') this.figures.writtenBytes += this.#options.bytes.blockBytes;
    });
  }

  /** Does something with all blocks, in windows of what the lane takes at once. */
  async #fromLast(
    lane: Lane,
    blocks: Int32Array,
    work: (block: number, index: number) => Promise<void>,
  ): Promise<void> {
    let index = blocks.length - 1;
    const runOne = async (): Promise<void> => {
      while (index >= 0) {
        const at = index;
        index -= 1;
        await work(blocks[at] as number, at);
      }
    };
    const runners = Math.min(lane.window, blocks.length);
    await Promise.all(Array.from({ length: runners }, runOne));
  }

  async #timed(what: Exclude<Timed, 'request'>, asked: Promise<Answer>): Promise<Answer> {
    const startMs = this.#options.nowMs();
    const answer = await asked;
    this.figures.time(what, this.#options.nowMs() - startMs);
    this.figures.note(answer);
    return answer;
  }
}
