/**
 * The state of a prompt from the pool beside computing the prompt: what a restored conversation saves. A restore hashes the tokens, finds the blocks,
 * checks each one's checksum and identity, joins them and loads them into a context that had something else.
 */

import { join } from 'node:path';
import { Histogram } from '../../src/base/histogram.ts';
import { Random } from '../../src/base/random.ts';
import { LlamaContext } from '../../src/engine/llama/context.ts';
import { LlamaModel } from '../../src/engine/llama/model.ts';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { type Bar, type Row, toRow } from '../harness/row.ts';
import { median } from '../harness/stats.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { keeperOf, mib, writeModel } from './model.ts';

export const restoreTokens: readonly number[] = [128, 256, 512, 1024, 2048];

/** Pieces of prompts: what engines do by default, and what is fastest. */
const pieces: readonly number[] = [64, 512];
const keptPiece = 64;
const rounds = 5;
const roundsQuick = 1;
const restoresInRound = 20;
/** A floor, for the longest. */
const timesFaster = 100;

type Timed = { readonly name: string; readonly roundsNs: number[]; readonly histogram: Histogram };

function timed(name: string): Timed {
  return { name, roundsNs: [], histogram: new Histogram() };
}

function prefill(context: LlamaContext, prompt: Int32Array, piece: number): void {
  for (let at = 0; at < prompt.length;) {
    const to = Math.min(prompt.length, at + piece);
    context.begin();
    for (; at < to; at++) context.add(0, at, prompt[at] as number, at === prompt.length - 1);
    context.compute();
  }
}

export function restoreScenario(tokens: number): Scenario {
  return {
    name: `restore-${tokens}`,
    async run(context) {
      const pool = await openPool({ path: join(context.folder, 'pool'), capacityBytes: 128 * mib });
      const loaded = new LlamaModel(writeModel(context.folder));
      const shape = { contextTokens: 2560, sequences: 1, kvType: 'f16', threads: 1 } as const;
      const runner = new LlamaContext(loaded, { ...shape, batchTokens: Math.max(...pieces) });
      try {
        return await compare(loaded, runner, pool, tokens, context);
      } finally {
        runner.close();
        loaded.close();
        await pool.close();
      }
    },
  };
}

async function compare(
  loaded: LlamaModel,
  runner: LlamaContext,
  pool: Pool,
  tokens: number,
  { quick, log }: Context,
): Promise<Row[]> {
  const random = new Random(tokens);
  // One more than is restored: the last token of a prompt is always computed.
  const prompt = Int32Array.from(
    { length: tokens + 1 },
    () => 3 + random.below(loaded.vocabulary - 3),
  );
  const whole = prompt.subarray(0, tokens);
  prefill(runner, whole, keptPiece);
  const keeper = keeperOf(loaded, pool);
  keeper.take(runner, 0, '', whole);
  while (keeper.step());

  const restored = timed('restore');
  const computed = pieces.map((piece) => ({ piece, times: timed(`prefill, pieces of ${piece}`) }));
  for (let round = -1; round < (quick ? roundsQuick : rounds); round++) {
    const isWarm = round >= 0;
    let sumNs = 0;
    for (let times = 0; times < restoresInRound; times++) {
      const startedMs = performance.now();
      const found = await keeper.restore(runner, 0, '', prompt, 16);
      const ns = (performance.now() - startedMs) * 1e6;
      if (found !== tokens) throw new Error(`${found} of ${tokens} tokens were restored`);
      sumNs += ns;
      if (isWarm) restored.histogram.record(ns);
    }
    if (isWarm) restored.roundsNs.push(sumNs / restoresInRound);
    for (const { piece, times } of computed) {
      runner.remove(0);
      const startedMs = performance.now();
      prefill(runner, whole, piece);
      const ns = (performance.now() - startedMs) * 1e6;
      if (isWarm) times.roundsNs.push(ns);
      if (isWarm) times.histogram.record(ns);
    }
  }
  log(`  ${tokens} tokens: ${(median(restored.roundsNs) / 1e6).toFixed(2)} ms`);
  return rowsOf(
    tokens,
    restored,
    computed.map(({ times }) => times),
  );
}

function rowsOf(tokens: number, restored: Timed, computed: readonly Timed[]): Row[] {
  const fastestNs = Math.min(...computed.map(({ roundsNs }) => median(roundsNs)));
  const value = fastestNs / median(restored.roundsNs);
  const isFloor = tokens === restoreTokens.at(-1);
  const limit = isFloor ? timesFaster : 1;
  const bars: Bar[] = [{ what: '× the faster prefill', value, limit, direction: 'atLeast' }];
  return [restored, ...computed].map(({ name, roundsNs, histogram }) =>
    toRow(
      'engine',
      `restore-${tokens}`,
      { name, batch: 1, roundsNs, histogram, settled: true },
      { bars: name === restored.name ? bars : [], note: `${tokens} tokens, 6×512, one thread` },
    ),
  );
}
