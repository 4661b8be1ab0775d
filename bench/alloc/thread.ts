/** A worker thread that plays one share of a workload with one heap; told what to do by js-player.ts. */

import { parentPort, workerData } from 'node:worker_threads';
import { openHeap } from './heaps/open.ts';
import type { Heap, HeapName, HeapOptions, Reserved } from './heaps/heap.ts';
import { OurHeap } from './heaps/ours.ts';
import type { RegionHandle } from '../../src/memory/region.ts';
import type { Latencies } from './house.ts';
import type { MemoryRun, Play } from './player.ts';
import { gateWords, meetAt } from './gate.ts';
import { cpuNs, waitedNs } from './processor.ts';
import { openProgram } from './programs.ts';
import type { Share } from './programs/program.ts';

export interface ThreadData {
  readonly subject: HeapName;
  readonly worker: number;
  readonly play: Play;
  readonly heap: HeapOptions;
  /** The region of the first worker, for the others. */
  readonly handle: RegionHandle | undefined;
  /** Two words: arrived, turn; then words for locks. */
  readonly gate: SharedArrayBuffer;
  /** What the program's workers share. */
  readonly board: SharedArrayBuffer;
}

export type ThreadCommand =
  | { readonly what: 'round'; readonly amount: number }
  | { readonly what: 'latency'; readonly amount: number }
  | { readonly what: 'memory'; readonly amount: number; readonly every: number }
  | { readonly what: 'reserved' };

export interface ThreadRound extends Share {
  /** From start to end, without rest and without waiting for a processor. */
  readonly busyNs: number;
}

export type ThreadAnswer =
  | { readonly what: 'ready'; readonly handle: RegionHandle | undefined }
  | { readonly what: 'round'; readonly round: ThreadRound }
  | { readonly what: 'latency'; readonly latency: Latencies }
  | { readonly what: 'memory'; readonly memory: MemoryRun }
  | { readonly what: 'reserved'; readonly reserved: Reserved }
  | { readonly what: 'failed'; readonly why: string };

const data = workerData as ThreadData;
const gate = new Int32Array(data.gate, 0, gateWords);
const meet = (): void => meetAt(gate, data.play.workers);

/**
 * The collector's helper threads work for this one: where they share its processor, it waits for them, and that counts. The other threads of this
 * process sleep while a single worker plays.
 */
function withHelpers(ownNs: number, elapsedNs: number, processNs: number): number {
  return Math.min(elapsedNs, Math.max(ownNs, processNs));
}

function start<H>(heap: Heap<H>): void {
  const program = openProgram(heap, data.play, data.worker, { meet, board: data.board });
  const answer = (command: ThreadCommand): ThreadAnswer => {
    if (command.what === 'latency' && program.latency !== undefined) {
      return { what: 'latency', latency: program.latency(command.amount) };
    }
    if (command.what === 'memory' && program.memory !== undefined) {
      return { what: 'memory', memory: program.memory(command.amount, command.every) };
    }
    if (command.what === 'reserved') return { what: 'reserved', reserved: heap.reserved() };
    if (command.what !== 'round') throw new Error(`${data.play.program} has no ${command.what}`);
    meet();
    const waitedBeforeNs = waitedNs(data.play.workers);
    const cpuBeforeNs = cpuNs();
    const startMs = performance.now();
    const share = program.round(command.amount);
    const elapsedNs = (performance.now() - startMs) * 1e6;
    const wokenNs = elapsedNs - share.restNs;
    const ownNs = wokenNs - (waitedNs(data.play.workers) - waitedBeforeNs);
    const counted = heap.isCollected && data.play.workers === 1;
    const busyNs = counted ? withHelpers(ownNs, wokenNs, cpuNs() - cpuBeforeNs) : ownNs;
    return { what: 'round', round: { ...share, busyNs } };
  };
  parentPort?.on('message', (command: ThreadCommand) => {
    let reply: ThreadAnswer;
    try {
      reply = answer(command);
    } catch (error) {
      reply = { what: 'failed', why: error instanceof Error ? (error.stack ?? '') : String(error) };
    }
    parentPort?.postMessage(reply);
  });
  const handle = heap instanceof OurHeap ? heap.allocator.region.handle : undefined;
  parentPort?.postMessage({ what: 'ready', handle } satisfies ThreadAnswer);
}

const locks = new Int32Array(data.gate, gateWords * 4);
start<unknown>(openHeap(data.subject, data.heap, data.handle, locks));
