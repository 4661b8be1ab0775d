/** Conversations one after the other: every turn computed from its beginning, or gone on with from the pool. */

import { join } from 'node:path';
import { Random } from '../../src/base/random.ts';
import { LlamaModel } from '../../src/engine/llama/model.ts';
import type { StateKeeper } from '../../src/engine/state/keeper.ts';
import { openPool } from '../../src/pool/open.ts';
import type { Bar, Row } from '../harness/row.ts';
import { ratioOfMedians } from '../harness/stats.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { keeperOf, mib } from './model.ts';
import { randomModel } from './models.ts';
import { requestRow, type Times, timesOf } from './rows.ts';
import { Server } from './serving.ts';

const turns = 5;
const firstTokens = 512;
const turnTokens = 64;
const answerTokens = 32;
const conversations = 3;
/** A floor. */
const timesFirstToken = 5;

function prompts(model: LlamaModel, count: number, length: number, seed: number): Int32Array[] {
  const random = new Random(seed);
  const token = (): number => 3 + random.below(model.vocabulary - 3);
  return Array.from({ length: count }, () => Int32Array.from({ length }, token));
}

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
    const askedMs = performance.now();
    const { answer, firstNs } = await server.answer(tokens, answerTokens);
    const wholeNs = (performance.now() - askedMs) * 1e6;
    if (turn > 0) {
      times.firstNs.push(firstNs);
      times.latenciesNs.push(wholeNs);
      times.roundsNs.push(wholeNs);
    }
    tokens = Int32Array.from([...tokens, ...answer, ...(said[turn] ?? [])]);
    // As an instance does between two requests.
    await new Promise((resolve) => setImmediate(resolve));
    while (keeper?.step() === true);
  }
}

export const turnsScenario: Scenario = {
  name: 'turns',
  async run({ quick, folder, pricePerHour }: Context): Promise<Row[]> {
    const model = new LlamaModel(randomModel.file(folder));
    const pool = await openPool({ path: join(folder, 'pool'), capacityBytes: 256 * mib });
    const keeper = keeperOf(model, pool);
    const all = [
      { keeper, times: timesOf('from the pool') },
      { keeper: undefined, times: timesOf('from the beginning') },
    ].map((each) => ({
      ...each,
      server: new Server({ ...randomModel, model }, 1, each.keeper),
    }));
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
    const value = ratioOfMedians(theirs.firstNs, ours.firstNs);
    const bars: Bar[] = [
      {
        what: '× lower to first tokens than from the beginning',
        value,
        limit: timesFirstToken,
        direction: 'atLeast',
      },
    ];
    const note = `turns 2 to ${turns}: ${firstTokens} tokens first, ${turnTokens} + ${answerTokens} a turn, ${randomModel.name}, one thread`;
    return [
      requestRow('turns', ours, { note, bars, pricePerHour }),
      requestRow('turns', theirs, { note, pricePerHour }),
    ];
  },
};
