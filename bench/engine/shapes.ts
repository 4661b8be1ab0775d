/** Conversations as they are: how many tokens come with each turn, and how many are answered. Of a published trace, made as small as a context is. */

import { conversationShape, generateTrace } from '../../src/kv/traces/generate.ts';
import { requestCount, type Trace } from '../../src/kv/traces/trace.ts';
import { loadTrace } from '../traces/load.ts';

export interface Turn {
  /** What is said, beyond all that was said and answered before. */
  readonly newTokens: number;
  readonly answerTokens: number;
}

export interface Shapes {
  readonly conversations: readonly (readonly Turn[])[];
  /** Where they are from, and how much smaller they are made. */
  readonly from: string;
}

interface Request {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Turns of a conversation that are played, and tokens of the longest. */
const turnsMin = 3;
const turnsMax = 6;
const tokensMax = 24_576;

/** `count` conversations of at least three turns, in the order of the trace; the longest fills `roomTokens`. */
export async function conversationShapes(count: number, roomTokens: number): Promise<Shapes> {
  const trace = (await loadTrace('conversation')) ?? generateTrace(conversationShape, 1);
  const chosen = conversationsOf(trace)
    .filter((requests) => requests.length >= turnsMin)
    .map((requests) => requests.slice(0, turnsMax))
    .filter((requests) => requests.every((request) => lengthOf(request) <= tokensMax))
    .slice(0, count);
  const longest = Math.max(...chosen.flat().map((request) => lengthOf(request)));
  // Rounding may add a token or two to each turn.
  const scale = (roomTokens - 4 * turnsMax) / longest;
  return {
    conversations: chosen.map((requests) => scaled(requests, scale)),
    from: `${count} conversations of ${trace.name}, lengths × 1/${(1 / scale).toFixed(1)}`,
  };
}

function lengthOf({ inputTokens, outputTokens }: Request): number {
  return inputTokens + outputTokens;
}

/** A request goes on with an earlier one when it begins with all full blocks of it, and has room for its answer. */
function conversationsOf(trace: Trace): Request[][] {
  const all: Request[][] = [];
  /** By the last full block of the last request. */
  const open = new Map<number, Request[]>();
  for (let number = 0; number < requestCount(trace); number++) {
    const request = {
      inputTokens: trace.inputTokens[number] as number,
      outputTokens: trace.outputTokens[number] as number,
    };
    const start = trace.starts[number] as number;
    const blocks = trace.references.subarray(start, start + (trace.fullBlocks[number] as number));
    const at = blocks.findLastIndex((block) => {
      const before = open.get(block)?.at(-1);
      return before !== undefined && lengthOf(before) < request.inputTokens;
    });
    const conversation = at < 0 ? [] : (open.get(blocks[at] as number) as Request[]);
    if (at < 0) all.push(conversation);
    else open.delete(blocks[at] as number);
    conversation.push(request);
    const last = blocks.at(-1);
    if (last !== undefined) open.set(last, conversation);
  }
  return all;
}

function scaled(requests: readonly Request[], scale: number): Turn[] {
  let beforeTokens = 0;
  return requests.map(({ inputTokens, outputTokens }) => {
    const answerTokens = Math.max(1, Math.round(outputTokens * scale));
    const newTokens = Math.max(1, Math.round(inputTokens * scale) - beforeTokens);
    beforeTokens += newTokens + answerTokens;
    return { newTokens, answerTokens };
  });
}
