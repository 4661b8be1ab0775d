/**
 * JSON lines as published by Mooncake: `{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 2353]}`.
 * `timestamp` counts milliseconds; `hash_ids` are chained blocks of 512 tokens of the prompt, so that an equal id is an equal prefix. `stop` (`tool_use`,
 * `end_turn`) is why the answer ended. Other fields are left alone.
 */

import { fail } from '../../errors.ts';
import { LineReader, type TraceReader } from './lines.ts';
import { stopReason, type StopReason } from '../../evict/api.ts';
import type { BlockId, TraceBuilder } from './trace.ts';

/** Reasons to stop as agents write them; others say nothing of what comes. */
const stops: ReadonlyMap<unknown, StopReason> = new Map([
  ['end_turn', stopReason.endTurn],
  ['tool_use', stopReason.toolUse],
]);

export function mooncakeReader(builder: TraceBuilder): TraceReader {
  return new LineReader((line, number) => {
    const { timestamp, hash_ids: ids, input_length, output_length, stop } = parse(line, number);
    if (typeof timestamp !== 'number' || !Number.isFinite(timestamp))
      fail('trace_malformed', `line ${number} has no timestamp in milliseconds`);
    if (!Array.isArray(ids)) fail('trace_malformed', `line ${number} has no hash_ids`);
    builder.begin(timestamp, {
      inputTokens: tokensIn(input_length, 'input_length', number),
      outputTokens: tokensIn(output_length, 'output_length', number),
      stop: stops.get(stop),
    });
    for (const id of ids as unknown[]) {
      if (!isBlockId(id))
        fail('trace_malformed', `line ${number}: ${JSON.stringify(id)} is not the id of a block`);
      builder.add(id);
    }
  });
}

/** What is not said is not known. */
function tokensIn(value: unknown, field: string, number: number): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  return fail('trace_malformed', `line ${number}: ${field} is not a number of tokens`);
}

interface Line {
  readonly timestamp?: unknown;
  readonly hash_ids?: unknown;
  readonly input_length?: unknown;
  readonly output_length?: unknown;
  readonly stop?: unknown;
}

function parse(line: string, number: number): Line {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    fail('trace_malformed', `line ${number} is not JSON`, error);
  }
  if (typeof value !== 'object' || value === null)
    fail('trace_malformed', `line ${number} is not a JSON object`);
  return value;
}

/** Numbers above 2^53 would be rounded to their neighbours: hashes of 64 bits are written as strings. */
function isBlockId(id: unknown): id is BlockId {
  return typeof id === 'string' || Number.isSafeInteger(id);
}
