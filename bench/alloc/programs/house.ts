/** The house workloads as rounds of one worker. */

import type { Heap } from '../heaps/heap.ts';
import {
  type House,
  type Latencies,
  openHouse,
  runBounded,
  steadyLoop,
  tally,
  timeBatches,
} from '../house.ts';
import type { Sample } from '../../harness/row.ts';
import type { MemoryRun, Play } from '../player.ts';
import { waitedNs } from '../processor.ts';
import type { Program, Share } from './program.ts';

/**
 * Operations of one call: so few that V8 enters optimised code by the front door. It never optimises a call that is under way then: such code does not know
 * what is constant (28 ns per operation of `rl_small` in place of 19), and where other code was optimised too soon and thrown away, it stays.
 */
const chunk = 100;

const systemNowMs = (): number => performance.now();

/** Sleeps without a timer's round through the event loop. */
export function restFor(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

export class HouseProgram<H> implements Program {
  readonly #house: House<H>;
  readonly #steady: (operations: number) => void;
  readonly #play: Play;
  readonly #worker: number;

  constructor(heap: Heap<H>, play: Play, worker: number) {
    this.#house = openHouse(heap, play, worker);
    this.#steady = steadyLoop(this.#house);
    this.#play = play;
    this.#worker = worker;
  }

  round(amount: number): Share {
    const house = this.#house;
    const failuresBefore = house.failures;
    const burst = this.#play.burst === 0 ? amount : this.#play.burst;
    let restNs = 0;
    for (let done = 0; done < amount; done += burst) {
      const from = systemNowMs();
      this.#run(Math.min(burst, amount - done));
      if (this.#play.burst === 0) break;
      const worked = systemNowMs();
      const waited = waitedNs(this.#play.workers);
      restFor(9 * (worked - from));
      // Waiting for a processor counts elsewhere.
      restNs += (systemNowMs() - worked) * 1e6 - (waitedNs(this.#play.workers) - waited);
    }
    const failures = house.failures - failuresBefore;
    return { operations: amount, failures, state: house.state >>> 0, restNs };
  }

  latency(batches: number): Latencies {
    return timeBatches(this.#house, batches, systemNowMs);
  }

  /** Every page of every block is written, so that resident memory tells what the allocator holds. */
  memory(operations: number, every: number): MemoryRun {
    const { heap } = this.#house;
    const house = openHouse(heap, this.#play, this.#worker);
    const samples: Sample[] = [];
    for (let done = 0; done < operations; done += every) {
      for (let from = 0; from < every; from += chunk) {
        runBounded(house, Math.min(chunk, every - from), true);
      }
      const { bytes } = heap.reserved();
      samples.push({ operations: done + every, ...tally(house), reservedBytes: bytes });
    }
    const { how } = heap.reserved();
    if (heap.compact === undefined) return { samples, how, failures: house.failures };
    heap.compact(house.slots);
    const compacted = { operations, ...tally(house), reservedBytes: heap.reserved().bytes };
    return { samples, compacted, how, failures: house.failures };
  }

  #run(operations: number): void {
    const bounded = this.#play.targetBytes !== 0;
    for (let from = 0; from < operations; from += chunk) {
      const part = Math.min(chunk, operations - from);
      if (bounded) runBounded(this.#house, part, false);
      else this.#steady(part);
    }
  }
}
