/**
 * Requests to a model that is too slow to be asked one by one: a context made for each, one context that is kept, and sequences that join and leave
 * batches of it. And conversations: every turn computed from its beginning, or gone on with from the pool.
 */

import { join } from 'node:path';
import { Histogram } from '../../src/base/histogram.ts';
import { Random } from '../../src/base/random.ts';
import { ContinuousBatcher } from '../../src/engine/batch/continuous-batcher.ts';
import { LlamaContext } from '../../src/engine/llama/context.ts';
import { LlamaModel } from '../../src/engine/llama/model.ts';
import { Counters } from '../../src/engine/state/counters.ts';
import type { StateKeeper } from '../../src/engine/state/keeper.ts';
import { Answering } from '../../src/engine/worker/answering.ts';
import { LlamaSteps } from '../../src/engine/worker/llama-steps.ts';
import { openPool } from '../../src/pool/open.ts';
import { workOf } from '../../test/engine/support/work.ts';
import { type Bar, type Row, toRow } from '../harness/row.ts';
import { ratioOfMedians } from '../harness/stats.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { keeperOf, mib, writeModel } from './model.ts';

const promptTokens = 64;
/** Of a sequence, for whatever may be asked. */
const roomTokens = 2048;
const answerTokens = 32;
const requests = 24;
const quickShare = 6;
const sequences = 8;
const rounds = 3;
/** Floors. */
const timesContextPerRequest = 2;
const timesFirstToken = 5;

const turns = 5;
const firstTokens = 512;
const turnTokens = 64;
const conversations = 3;

/** A context with a batcher over it. */
class Server {
  readonly #context: LlamaContext;
  readonly #batcher: ContinuousBatcher<Answering>;

  constructor(model: LlamaModel, slots: number, contextTokens: number, keeper?: StateKeeper) {
    const shape = { contextTokens, sequences: slots, batchTokens: 64, kvType: 'f16', threads: 1 };
    this.#context = new LlamaContext(model, shape as typeof shape & { kvType: 'f16' });
    this.#batcher = new ContinuousBatcher({
      model: new LlamaSteps({
        context: this.#context,
        keeper,
        counters: new Counters(),
        kept: () => undefined,
        nowMs: () => performance.now(),
      }),
      slots,
      chunkTokens: 64,
      alignChunks: true,
      stepTokens: slots + 64,
      contextTokens,
    });
  }

  /** @returns the answer, and nanoseconds to its first token */
  async answer(tokens: Int32Array): Promise<{ answer: Int32Array; firstNs: number }> {
    const startedMs = performance.now();
    let firstNs = 0;
    const onToken = (): boolean => {
      if (firstNs === 0) firstNs = (performance.now() - startedMs) * 1e6;
      return false;
    };
    const meta = new Answering(0, work, tokens.length, this.#context.shape.contextTokens, 0);
    const request = { tokens, maxTokens: answerTokens, meta, onToken };
    return { answer: (await this.#batcher.submit(request)).tokens, firstNs };
  }

  async close(): Promise<void> {
    await this.#batcher.close();
    this.#context.close();
  }
}

const work = workOf({ text: '' }, answerTokens);

interface Times {
  readonly name: string;
  readonly roundsNs: number[];
  readonly histogram: Histogram;
}

function timesOf(name: string): Times {
  return { name, roundsNs: [], histogram: new Histogram() };
}

function rowOf(workload: string, times: Times, note: string, bars: Bar[] = []): Row {
  return toRow('engine', workload, { ...times, batch: 1, settled: true }, { bars, note });
}

function prompts(model: LlamaModel, count: number, length: number, seed: number): Int32Array[] {
  const random = new Random(seed);
  const token = (): number => 3 + random.below(model.vocabulary - 3);
  return Array.from({ length: count }, () => Int32Array.from({ length }, token));
}

type Subject = (asked: readonly Int32Array[], latencies: Histogram) => Promise<void>;

function subjects(model: LlamaModel): [name: string, run: Subject][] {
  const timed = async (server: Server, prompt: Int32Array, into: Histogram): Promise<void> => {
    const startedMs = performance.now();
    await server.answer(prompt);
    into.record((performance.now() - startedMs) * 1e6);
  };
  const kept = (slots: number): Subject => {
    return async (asked, latencies) => {
      const server = new Server(model, slots, roomTokens);
      await Promise.all(asked.map((prompt) => timed(server, prompt, latencies)));
      await server.close();
    };
  };
  return [
    [`batches of ${sequences}`, kept(sequences)],
    ['one by one', kept(1)],
    [
      'a context for each',
      async (asked, latencies) => {
        for (const prompt of asked) {
          const server = new Server(model, 1, roomTokens);
          await timed(server, prompt, latencies);
          await server.close();
        }
      },
    ],
  ];
}

export const throughputScenario: Scenario = {
  name: 'requests',
  async run({ quick, folder, log }: Context) {
    const model = new LlamaModel(writeModel(folder));
    const count = quick ? requests / quickShare : requests;
    const asked = prompts(model, count, promptTokens, 1);
    const all = subjects(model).map(([name, run]) => ({ run, times: timesOf(name) }));
    for (let round = 0; round < (quick ? 1 : rounds); round++) {
      for (const { run, times } of all) {
        const startedMs = performance.now();
        await run(asked, times.histogram);
        times.roundsNs.push(((performance.now() - startedMs) * 1e6) / count);
        log(`  ${times.name}: ${((times.roundsNs.at(-1) ?? 0) / 1e6).toFixed(0)} ms a request`);
      }
    }
    model.close();
    const [batched, ...others] = all.map(({ times }) => times) as [Times, Times, Times];
    const value = ratioOfMedians(others[1]?.roundsNs ?? [], batched.roundsNs);
    const limit = timesContextPerRequest;
    const bars: Bar[] = [{ what: '× a context for each', value, limit, direction: 'atLeast' }];
    const note = `${count} at once, ${promptTokens} + ${answerTokens} tokens, 6×512, one thread; quantiles are latencies, up to 2.1 s`;
    return [
      rowOf('requests', batched, note, bars),
      ...others.map((times) => rowOf('requests', times, note)),
    ];
  },
};

/** First tokens of all turns but the first of a conversation. */
async function converse(
  server: Server,
  keeper: StateKeeper | undefined,
  first: Int32Array,
  said: readonly Int32Array[],
  times: Times,
): Promise<void> {
  let tokens = first;
  for (let turn = 0; turn < turns; turn++) {
    const { answer, firstNs } = await server.answer(tokens);
    if (turn > 0) times.histogram.record(firstNs);
    if (turn > 0) times.roundsNs.push(firstNs);
    tokens = Int32Array.from([...tokens, ...answer, ...(said[turn] ?? [])]);
    // As an instance does between two requests.
    await new Promise((resolve) => setImmediate(resolve));
    while (keeper?.step() === true);
  }
}

export const turnsScenario: Scenario = {
  name: 'turns',
  async run({ quick, folder }: Context) {
    const model = new LlamaModel(writeModel(folder));
    const pool = await openPool({ path: join(folder, 'pool'), capacityBytes: 256 * mib });
    const keeper = keeperOf(model, pool);
    const all = [
      { keeper, times: timesOf('from the pool') },
      { keeper: undefined, times: timesOf('from the beginning') },
    ].map((each) => ({ ...each, server: new Server(model, 1, roomTokens, each.keeper) }));
    for (let number = 0; number < (quick ? 1 : conversations); number++) {
      const [first] = prompts(model, 1, firstTokens, 10 + number) as [Int32Array];
      const said = prompts(model, turns, turnTokens, 20 + number);
      for (const { server, keeper: kept, times } of all) {
        await converse(server, kept, first, said, times);
      }
    }
    for (const { server } of all) await server.close();
    model.close();
    await pool.close();
    const [ours, theirs] = all.map(({ times }) => times) as [Times, Times];
    const value = ratioOfMedians(theirs.roundsNs, ours.roundsNs);
    const bars: Bar[] = [
      { what: '× from the beginning', value, limit: timesFirstToken, direction: 'atLeast' },
    ];
    const note = `time to the first token of turns 2 to ${turns}: ${firstTokens} tokens first, ${turnTokens} + ${answerTokens} a turn, 6×512, one thread`;
    return [rowOf('turns', ours, note, bars), rowOf('turns', theirs, note)];
  },
};
