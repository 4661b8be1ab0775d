/**
 * Seeded traces in the shape of the published ones, for machines without them. Sessions start at random times and come
 * back with all earlier blocks and some new ones; some begin with one of a few shared prompts.
 */

import { Xorshift } from '../harness/random.ts';
import { TraceBuilder, type Trace } from '../../src/kv/traces/trace.ts';

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
};

interface Request {
  readonly at: number;
  readonly blocks: readonly number[];
}

export function generateTrace(shape: TraceShape, seed: number): Trace {
  const random = new Xorshift(seed);
  let nextBlock = shape.sharedPrompts * shape.sharedPromptBlocks;
  const newBlocks = (mean: number): number[] =>
    Array.from({ length: geometric(random, mean) }, () => nextBlock++);
  const requests: Request[] = [];
  for (let session = 0; session < shape.sessions; session += 1) {
    let at = random.unit() * shape.spreadSeconds;
    let blocks = [
      ...(random.unit() < shape.sharedRatio ? sharedPrompt(shape, random) : []),
      ...newBlocks(shape.firstBlocksMean),
    ];
    const turns = geometric(random, shape.turnsMean);
    for (let turn = 0; turn < turns && blocks.length <= shape.blocksMax; turn += 1) {
      requests.push({ at, blocks });
      at += -Math.log(1 - random.unit()) * shape.gapMeanSeconds;
      blocks = [...blocks, ...newBlocks(shape.turnBlocksMean)];
    }
  }
  requests.sort((a, b) => a.at - b.at);
  const builder = new TraceBuilder(shape.name);
  for (const { at, blocks } of requests) {
    builder.begin(at * 1000);
    for (const block of blocks) builder.add(block);
  }
  return builder.build();
}

function sharedPrompt(shape: TraceShape, random: Xorshift): number[] {
  const first = random.below(shape.sharedPrompts) * shape.sharedPromptBlocks;
  return Array.from({ length: shape.sharedPromptBlocks }, (_, index) => first + index);
}

/** 1, 2, …, with the given mean. */
function geometric(random: Xorshift, mean: number): number {
  if (mean <= 1) return 1;
  return 1 + Math.floor(Math.log(1 - random.unit()) / Math.log(1 - 1 / mean));
}
