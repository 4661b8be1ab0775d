/**
 * What a model is asked, served in each of the ways there are: requests that come at once, and conversations in the shapes of real ones, which are served
 * from a pool too.
 */

import { LlamaModel } from '../../src/engine/llama/model.ts';
import type { Bar, Row } from '../harness/row.ts';
import { ratioOfMedians } from '../harness/stats.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { memoryOf } from './memory.ts';
import type { BenchModel } from './models.ts';
import { play } from './play.ts';
import { requestRow, type Times, timesOf } from './rows.ts';
import { batches, contextForEach, oneContext, pooledBatches, type Way } from './serving.ts';
import type { Shapes } from './shapes.ts';
import { type RequestsName, type WorkloadName, workloadOf } from './workloads.ts';

const rounds = { requests: 3, alpaca: 3, sharegpt: 1, replay: 2 } as const;
/** A floor: first tokens of later turns, from the pool. */
const timesFirstToken = 5;

interface Measured {
  readonly way: Way;
  readonly times: Times;
  readonly memoryBytes: number | undefined;
}

/** The ways take turns. */
async function measure(
  model: BenchModel,
  workload: WorkloadName,
  shapes: Shapes,
  ways: readonly Way[],
  { quick, folder, log }: Context,
): Promise<Measured[]> {
  const modelPath = model.file(folder);
  const loaded = new LlamaModel(modelPath);
  const all = ways.map((way) => ({ way, times: timesOf(way.name) }));
  for (let round = 0; round < (quick ? 1 : rounds[workload]); round++) {
    for (const { way, times } of all) {
      const serving = await way.start({ ...model, model: loaded }, folder);
      const played = await play(serving, loaded.vocabulary, shapes.conversations);
      await serving.close();
      times.latenciesNs.push(...played.latenciesNs);
      times.firstNs.push(...played.firstNs);
      times.roundsNs.push(played.turnNs);
      log(`  ${way.name}: ${(played.turnNs / 1e6).toFixed(1)} ms a request`);
    }
  }
  loaded.close();
  const measured: Measured[] = [];
  for (const { way, times } of all) {
    const task = { model: model.name, modelPath, way: way.name, workload, quick, folder };
    measured.push({ way, times, memoryBytes: await memoryOf(task) });
  }
  return measured;
}

/** @param bars of one of the ways */
function rowsOf(
  workload: string,
  measured: readonly Measured[],
  note: string,
  pricePerHour: number,
  bars: (way: Way) => readonly Bar[],
): Row[] {
  return measured.map(({ way, times, memoryBytes }) =>
    requestRow(workload, times, { note, bars: bars(way), memoryBytes, pricePerHour }),
  );
}

function timesAmong(measured: readonly Measured[], of: Way): Times {
  const found = measured.find(({ way }) => way === of);
  if (found === undefined) throw new Error(`${of.name} was not measured`);
  return found.times;
}

/** Requests that have nothing in common. */
export function requestsScenario(workload: RequestsName, model: BenchModel): Scenario {
  const name = `${workload}-${model.name}`;
  return {
    name,
    async run(context) {
      const shapes = await workloadOf(workload, model.roomTokens, context.quick);
      const ways = [contextForEach, oneContext, batches];
      const measured = await measure(model, workload, shapes, ways, context);
      const bar: Bar = {
        what: '× a context for each',
        value: ratioOfMedians(
          timesAmong(measured, contextForEach).roundsNs,
          timesAmong(measured, batches).roundsNs,
        ),
        limit: model.floorOfBatches,
        direction: 'atLeast',
      };
      const note = `${shapes.from}, one thread`;
      return rowsOf(name, measured, note, context.pricePerHour, (way) =>
        way === batches ? [bar] : [],
      );
    },
  };
}

export function replayScenario(model: BenchModel): Scenario {
  const name = `replay-${model.name}`;
  return {
    name,
    async run(context) {
      const shapes = await workloadOf('replay', model.roomTokens, context.quick);
      const ways = [contextForEach, oneContext, batches, pooledBatches];
      const measured = await measure(model, 'replay', shapes, ways, context);
      const bar: Bar = {
        what: '× lower to first tokens than a context for each',
        value: ratioOfMedians(
          timesAmong(measured, contextForEach).firstNs,
          timesAmong(measured, pooledBatches).firstNs,
        ),
        limit: timesFirstToken,
        direction: 'atLeast',
      };
      const note = `${shapes.from}, all at once, one thread; first tokens: of later turns`;
      return rowsOf(name, measured, note, context.pricePerHour, (way) =>
        way === pooledBatches ? [bar] : [],
      );
    },
  };
}
