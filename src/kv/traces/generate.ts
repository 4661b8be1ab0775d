/**
 * Seeded traces in the shape of the published ones, for machines without them. Sessions start at random times and come
 * back with all earlier blocks and some new ones; some begin with one of a few shared prompts.
 */

import { Random } from '../../base/random.ts';
import { fail } from '../../errors.ts';
import { stopReason, type StopReason } from '../../evict/api.ts';
import { TraceBuilder, tokensPerBlock, type Trace } from './trace.ts';

export interface TraceShape {
  readonly name: string;
  readonly sessions: number;
  /** Mean of a geometric distribution, at least 1. */
  readonly turnsMean: number;
  readonly firstBlocksMean: number;
  readonly turnBlocksMean: number;
  /** A session does not grow beyond this. */
  readonly blocksMax: number;
  readonly sharedPrompts: number;
  readonly sharedPromptBlocks: number;
  /** Of sessions that begin with a shared prompt. */
  readonly sharedRatio: number;
  /** Session starts are spread over this many seconds; turns follow after exponential gaps. */
  readonly spreadSeconds: number;
  readonly gapMeanSeconds: number;
  readonly outputMeanTokens: number;
  /** Whether it is told that a turn was the last of its session. */
  readonly tellsStops: boolean;
}

/** Many short chats, long first prompts, little reuse. */
export const conversationShape: TraceShape = {
  name: 'generated conversation',
  sessions: 8000,
  turnsMean: 1.5,
  firstBlocksMean: 20,
  turnBlocksMean: 5,
  blocksMax: 240,
  sharedPrompts: 3,
  sharedPromptBlocks: 2,
  sharedRatio: 0.5,
  spreadSeconds: 3500,
  gapMeanSeconds: 150,
  outputMeanTokens: 340,
  tellsStops: false,
};

/** Few long sessions that return every few seconds with all that they had. */
export const agenticShape: TraceShape = {
  name: 'generated agentic',
  sessions: 200,
  turnsMean: 55,
  firstBlocksMean: 60,
  turnBlocksMean: 7,
  blocksMax: 500,
  sharedPrompts: 2,
  sharedPromptBlocks: 20,
  sharedRatio: 0.9,
  spreadSeconds: 20_000,
  gapMeanSeconds: 40,
  outputMeanTokens: 500,
  tellsStops: true,
};

const shapes: Readonly<Record<string, TraceShape>> = {
  conversation: conversationShape,
  agentic: agenticShape,
};
const prefix = 'generated:';
const defaultSeed = 1;

/** The trace that a name like `generated:agentic` or `generated:agentic:SEED` stands for; undefined for any other name. @throws invalid_argument */
export function generatedTrace(name: string): Trace | undefined {
  if (!name.startsWith(prefix)) return undefined;
  const [shapeName = '', seedText, ...more] = name.slice(prefix.length).split(':');
  const shape = shapes[shapeName];
  const seed = seedText === undefined ? defaultSeed : Number(seedText);
  if (
    shape === undefined ||
    more.length > 0 ||
    !Number.isInteger(seed) ||
    Math.abs(seed) >= 2 ** 31
  ) {
    fail(
      'invalid_argument',
      `${name} is no generated trace: ${prefix}${Object.keys(shapes).join(` or ${prefix}`)}, and perhaps :SEED`,
    );
  }
  return generateTrace(shape, seed);
}

interface Request {
  readonly at: number;
  readonly blocks: readonly number[];
  readonly stop: StopReason;
}

export function generateTrace(shape: TraceShape, seed: number): Trace {
  const random = new Random(seed);
  let nextBlock = shape.sharedPrompts * shape.sharedPromptBlocks;
  const newBlocks = (mean: number): number[] =>
    Array.from({ length: geometric(random, mean) }, () => nextBlock++);
  const requests: Request[] = [];
  for (let session = 0; session < shape.sessions; session += 1) {
    let at = unit(random) * shape.spreadSeconds;
    let blocks = [
      ...(unit(random) < shape.sharedRatio ? sharedPrompt(shape, random) : []),
      ...newBlocks(shape.firstBlocksMean),
    ];
    const turns = geometric(random, shape.turnsMean);
    for (let turn = 0; turn < turns && blocks.length <= shape.blocksMax; turn += 1) {
      const stop = turn + 1 < turns ? stopReason.toolUse : stopReason.endTurn;
      requests.push({ at, blocks, stop: shape.tellsStops ? stop : stopReason.unknown });
      at += -Math.log(1 - unit(random)) * shape.gapMeanSeconds;
      blocks = [...blocks, ...newBlocks(shape.turnBlocksMean)];
    }
  }
  requests.sort((a, b) => a.at - b.at);
  const builder = new TraceBuilder(shape.name);
  for (const { at, blocks, stop } of requests) {
    builder.begin(at * 1000, {
      // All blocks are full: a session that returns asks for the last one again.
      inputTokens: blocks.length * tokensPerBlock,
      outputTokens: geometric(random, shape.outputMeanTokens),
      stop,
    });
    for (const block of blocks) builder.add(block);
  }
  return builder.build();
}

/** 0 (included) … 1 (excluded). */
function unit(random: Random): number {
  return random.next() / 2 ** 31;
}

function sharedPrompt(shape: TraceShape, random: Random): number[] {
  const first = random.below(shape.sharedPrompts) * shape.sharedPromptBlocks;
  return Array.from({ length: shape.sharedPromptBlocks }, (_, index) => first + index);
}

/** 1, 2, …, with the given mean. */
function geometric(random: Random, mean: number): number {
  if (mean <= 1) return 1;
  return 1 + Math.floor(Math.log(1 - unit(random)) / Math.log(1 - 1 / mean));
}
