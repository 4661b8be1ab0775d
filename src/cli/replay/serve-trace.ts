/** `cenote replay --target`: connections, the run, and its report. */

import { randomBytes } from 'node:crypto';
import type { Trace } from '../../kv/traces/trace.ts';
import { BlockBytes } from './block-bytes.ts';
import {
  percentiles,
  timed,
  type Figures,
  type Percentiles,
  type Refusals,
  type Timed,
} from './figures.ts';
import { connectLane, type Lane } from './lane.ts';
import { Player, type Speed } from './player.ts';
import type { Target } from './target.ts';

/** What `--json` prints. */
export interface ServerReport {
  readonly trace: string;
  readonly target: string;
  readonly blockBytes: number;
  readonly concurrency: number;
  readonly speed: Speed;
  /** False when it was interrupted. */
  readonly complete: boolean;
  readonly requests: number;
  readonly blockRefs: number;
  readonly hits: number;
  readonly hitRatio: number;
  readonly wrong: number;
  readonly late: number;
  readonly refused: Readonly<Record<string, Refusals>>;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly seconds: number;
  readonly blocksPerSecond: number;
  readonly latencyMs: Readonly<Record<Timed, Percentiles>>;
}

export interface ServerRunOptions {
  readonly trace: Trace;
  readonly target: Target;
  readonly blockBytes: number;
  readonly concurrency: number;
  readonly speed: Speed;
  readonly signal: AbortSignal;
  readonly nowMs: () => number;
  readonly onProgress: (figures: Figures) => void;
}

/** What came of a run: the report of what was played, and why it ended early, if it did. */
export interface ServerRun {
  readonly report: ServerReport;
  readonly failure: unknown;
}

const patienceMs = 30_000;
/** Blocks that a run leaves behind are forgotten this long after the trace would have ended. */
const keepMs = 3_600_000;

/** @throws target_unavailable, unauthorized, forbidden when there is no connection to begin with */
export async function serveTrace(options: ServerRunOptions): Promise<ServerRun> {
  const { trace, target, speed } = options;
  const run = randomBytes(4).readUInt32LE(0);
  const bytes = new BlockBytes(options.blockBytes, run);
  const durationMs = speed === 'flat' ? 0 : (trace.arrivalsMs.at(-1) as number) / speed;
  const lanes: Lane[] = [];
  try {
    for (let index = 0; index < options.concurrency && !options.signal.aborted; index += 1) {
      // A prefix of its own: a second run must not find the blocks of the first.
      const prefix = `replay:${run.toString(36)}:`;
      const ttlMs = durationMs + keepMs;
      lanes.push(await connectLane({ target, bytes, prefix, ttlMs, patienceMs }));
    }
    const player = new Player({ ...options, bytes, lanes });
    let failure: unknown;
    await player.play().catch((error: unknown) => (failure = error));
    return { report: reportOf(options, player), failure };
  } finally {
    for (const lane of lanes) lane.close();
  }
}

function reportOf(options: ServerRunOptions, player: Player): ServerReport {
  const { figures } = player;
  const seconds = player.elapsedMs / 1000;
  return {
    trace: options.trace.name,
    target: options.target.name,
    blockBytes: options.blockBytes,
    concurrency: options.concurrency,
    speed: options.speed,
    complete: player.isComplete,
    requests: figures.requests,
    blockRefs: figures.blockRefs,
    hits: figures.hits,
    hitRatio: figures.blockRefs > 0 ? figures.hits / figures.blockRefs : 0,
    wrong: figures.wrong,
    late: figures.late,
    refused: Object.fromEntries(figures.refused),
    readBytes: figures.readBytes,
    writtenBytes: figures.writtenBytes,
    seconds,
    blocksPerSecond: seconds > 0 ? Math.round(figures.blockRefs / seconds) : 0,
    latencyMs: Object.fromEntries(
      timed.map((what) => [what, percentiles(figures.latencies[what])]),
    ) as Record<Timed, Percentiles>,
  };
}
