/**
 * JSON lines as published by Mooncake: `{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 2353]}`.
 * `timestamp` counts milliseconds; `hash_ids` are chained blocks of the prompt, so that an equal id is an equal prefix. Other fields are left alone.
 */

import { fail } from '../../errors.ts';
import { LineReader, type TraceReader } from './lines.ts';
import type { BlockId, TraceBuilder } from './trace.ts';

export function mooncakeReader(builder: TraceBuilder): TraceReader {
  return new LineReader((line, number) => {
    const { timestamp, hash_ids: ids } = parse(line, number);
    if (typeof timestamp !== 'number' || !Number.isFinite(timestamp))
      fail('trace_malformed', `line ${number} has no timestamp in milliseconds`);
    if (!Array.isArray(ids)) fail('trace_malformed', `line ${number} has no hash_ids`);
    builder.begin(timestamp);
    for (const id of ids as unknown[]) {
      if (!isBlockId(id))
        fail('trace_malformed', `line ${number}: ${JSON.stringify(id)} is not the id of a block`);
      builder.add(id);
    }
  });
}

function parse(line: string, number: number): { timestamp?: unknown; hash_ids?: unknown } {
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
