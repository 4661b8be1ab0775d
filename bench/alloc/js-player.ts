/** Worker threads, each with its own heap of one kind (ours: over one region), playing rounds together. */

import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { RegionHandle } from '../../src/memory/region.ts';
import { bundledThread } from './bundle.ts';
import type { HeapName, HeapOptions, Reserved } from './heaps/heap.ts';
import type { Latencies } from './house.ts';
import type { MemoryRun, Play, Player, Round } from './player.ts';
import { boardBytes } from './programs.ts';
import { lockWords } from './heaps/variants.ts';
import { gateWords } from './gate.ts';
import type { ThreadAnswer, ThreadCommand, ThreadData, ThreadRound } from './thread.ts';

const entry = existsSync(bundledThread) ? bundledThread : new URL('thread.js', import.meta.url);

class Thread {
  readonly #worker: Worker;
  #waiting: { resolve(answer: ThreadAnswer): void; reject(error: Error): void } | undefined;

  constructor(data: ThreadData) {
    this.#worker = new Worker(entry, { workerData: data });
    this.#worker.on('message', (answer: ThreadAnswer) => {
      if (answer.what === 'failed') this.#waiting?.reject(new Error(answer.why));
      else this.#waiting?.resolve(answer);
    });
    this.#worker.on('error', (error) => this.#waiting?.reject(error));
  }

  /** The next thing it says. */
  heard(): Promise<ThreadAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  ask(command: ThreadCommand): Promise<ThreadAnswer> {
    const answer = this.heard();
    this.#worker.postMessage(command);
    return answer;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** @throws Error when a thread cannot start */
export async function openJsPlayer(
  subject: HeapName,
  play: Play,
  heap: HeapOptions,
): Promise<Player> {
  const gate = new SharedArrayBuffer(4 * (gateWords + lockWords));
  const board = new SharedArrayBuffer(boardBytes(play));
  const threads: Thread[] = [];
  let handle: RegionHandle | undefined;
  for (let worker = 0; worker < play.workers; worker += 1) {
    const thread = new Thread({ subject, worker, play, heap, handle, gate, board });
    threads.push(thread);
    const answer = await thread.heard();
    if (answer.what === 'ready') handle ??= answer.handle;
  }
  return new JsPlayer(subject, threads);
}

class JsPlayer implements Player {
  readonly name: string;
  readonly #threads: readonly Thread[];

  constructor(name: string, threads: readonly Thread[]) {
    this.name = name;
    this.#threads = threads;
  }

  async round(amount: number): Promise<Round> {
    const answers = await Promise.all(
      this.#threads.map((thread) => thread.ask({ what: 'round', amount })),
    );
    return together(answers.flatMap((answer) => (answer.what === 'round' ? [answer.round] : [])));
  }

  async latency(batches: number): Promise<Latencies> {
    const answer = await this.#first.ask({ what: 'latency', amount: batches });
    if (answer.what !== 'latency') throw new Error(`expected latency, got ${answer.what}`);
    return answer.latency;
  }

  async memory(operations: number, every: number): Promise<MemoryRun> {
    const answer = await this.#first.ask({ what: 'memory', amount: operations, every });
    if (answer.what !== 'memory') throw new Error(`expected memory, got ${answer.what}`);
    return answer.memory;
  }

  async reserved(): Promise<Reserved> {
    const answer = await this.#first.ask({ what: 'reserved' });
    if (answer.what !== 'reserved') throw new Error(`expected reserved, got ${answer.what}`);
    return answer.reserved;
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  get #first(): Thread {
    return this.#threads[0] as Thread;
  }
}

/** One round out of the shares of all threads: they start together, and the slowest ends it. */
export function together(shares: readonly ThreadRound[]): Round {
  return {
    elapsedNs: Math.max(...shares.map(({ busyNs }) => busyNs)),
    operations: shares.reduce((sum, share) => sum + share.operations, 0),
    failures: shares.reduce((sum, share) => sum + share.failures, 0),
    states: shares.map(({ state }) => state),
  };
}
