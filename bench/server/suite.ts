/** What the suite `server` measures: RESP beside the system's Redis, under redis-benchmark and under a load of our own. */

import { neighbourScenario } from './neighbour.ts';
import { Histogram } from '../../src/base/histogram.ts';
import { type Bar, type Row, toRow } from '../harness/row.ts';
import { median, ratioByRounds } from '../harness/stats.ts';
import type { Context, Scenario, Suite } from '../harness/suite.ts';
import { type Load, runLoad } from './load.ts';
import { hasRedisBenchmark, runRedisBenchmark } from './redis-benchmark.ts';
import { type Peer, startOurs, startRedis } from './servers.ts';

const kib = 2 ** 10;
const mib = 2 ** 20;
const rounds = 5;
const roundsQuick = 1;

type Shape = readonly [name: string, sizeBytes: number, pipeline: number, connections: number];

/** As many connections as redis-benchmark has by default, fewer where one value fills the pipe. */
const shapes: readonly Shape[] = [
  ['1KiB-P1', kib, 1, 50],
  ['1KiB-P16', kib, 16, 50],
  ['64KiB-P1', 64 * kib, 1, 16],
  ['64KiB-P16', 64 * kib, 16, 8],
  ['4MiB-P1', 4 * mib, 1, 4],
  ['4MiB-P16', 4 * mib, 16, 4],
];

/** Commands of a round by size: about a second of work. */
const counts: Readonly<Record<number, number>> = {
  [kib]: 100_000,
  [64 * kib]: 20_000,
  [4 * mib]: 600,
};
const pipelinedFactor = 4;
const quickShare = 50;

/** At 4 MiB the floor; elsewhere what we are after. */
const floorAtLarge = 0.7;
const goal = 1;

/** One round: nanoseconds per operation, and latencies go to the histogram. */
type Player = (peer: Peer, load: Load, latencies: Histogram) => Promise<number>;

const players: Readonly<Record<'benchmark' | 'own', Player>> = {
  async benchmark(peer, load, latencies) {
    const result = await runRedisBenchmark(peer.port, load);
    // It tells quantiles only: each stands for the share of operations that it bounds.
    const { p50Ms, p95Ms, p99Ms, maxMs } = result;
    const shares = [500, 450, 40, 10];
    for (const [i, ms] of [p50Ms, p95Ms, p99Ms, maxMs].entries()) {
      for (let n = 0; n < (shares[i] as number); n++) latencies.record(ms * 1e6);
    }
    return 1e9 / result.opsPerSecond;
  },
  own: (peer, load, latencies) => runLoad(peer.port, load, latencies),
};

function loadOf(
  [, sizeBytes, pipeline, connections]: Shape,
  context: Context,
): Omit<Load, 'operation'> {
  const more = pipeline > 1 && sizeBytes < mib ? pipelinedFactor : 1;
  const whole = (counts[sizeBytes] as number) * more;
  const count = Math.ceil(whole / (context.quick ? quickShare : 1));
  return { sizeBytes, pipeline, connections, count };
}

function scenarioOf(player: 'benchmark' | 'own', shape: Shape): Scenario {
  const [shapeName] = shape;
  return {
    name: `${player}-${shapeName}`,
    async run(context) {
      if (player === 'benchmark' && !hasRedisBenchmark()) {
        context.log('  skipped: no redis-benchmark (apt-get install redis-tools)');
        return [];
      }
      const ours = await startOurs(context.folder, context.workers);
      const redis = await startRedis();
      if (redis === undefined)
        context.log('  no redis-server beside it (apt-get install redis-server)');
      const peers = redis === undefined ? [ours] : [ours, redis];
      try {
        const load = loadOf(shape, context);
        const sets = await compare(
          player,
          peers,
          { ...load, operation: 'set' },
          shapeName,
          context,
        );
        const gets = await compare(
          player,
          peers,
          { ...load, operation: 'get' },
          shapeName,
          context,
        );
        return [...sets, ...gets];
      } finally {
        await Promise.all(peers.map((peer) => peer.stop()));
      }
    },
  };
}

/** Peers take turns, after a round that is not counted. */
async function compare(
  player: 'benchmark' | 'own',
  peers: readonly Peer[],
  load: Load,
  shapeName: string,
  context: Context,
): Promise<Row[]> {
  const states = peers.map((peer) => ({
    peer,
    roundsNs: new Array<number>(),
    histogram: new Histogram(),
  }));
  const play = players[player];
  for (const { peer } of states) await play(peer, load, new Histogram());
  for (let round = 0; round < (context.quick ? roundsQuick : rounds); round++) {
    for (const { peer, roundsNs, histogram } of states) {
      roundsNs.push(await play(peer, load, histogram));
    }
  }
  const [ours, redis] = states;
  return states.map((state) => {
    const { peer, roundsNs, histogram } = state;
    const isOurs = state === ours && redis !== undefined;
    const ratio = isOurs ? 1 / ratioByRounds(roundsNs, redis.roundsNs) : 0;
    const limit = load.sizeBytes >= mib ? floorAtLarge : goal;
    const bars: Bar[] = isOurs
      ? [{ what: '× redis', value: ratio, limit, direction: 'atLeast' }]
      : [];
    const gbPerSecond = load.sizeBytes / median(roundsNs);
    return toRow(
      'server',
      `${load.operation}-${shapeName}-${player}`,
      { name: peer.name, batch: 1, roundsNs, histogram, settled: true },
      {
        bars,
        workers: isOurs ? context.workers : 1,
        note: `${gbPerSecond.toFixed(2)} GB/s; quantiles are latencies`,
      },
    );
  });
}

export const serverSuite: Suite = {
  name: 'server',
  scenarios: [
    ...(['benchmark', 'own'] as const).flatMap((player) =>
      shapes.map((shape) => scenarioOf(player, shape)),
    ),
    neighbourScenario,
  ],
  workersMax: 8,
};
