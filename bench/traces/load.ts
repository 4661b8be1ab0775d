/** Request traces with hashed prompt blocks: JSON lines with `hash_ids`, as published by Mooncake. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

/** All block references in order of time; ids are 0…distinct − 1. */
export interface Trace {
  readonly name: string;
  readonly references: Int32Array;
  readonly distinct: number;
}

export const traceFiles = {
  conversation: 'mooncake_conversation_trace.jsonl.gz',
  agentic: 'agentic_coding_trace.jsonl.gz',
} as const;
export type TraceName = keyof typeof traceFiles;

/** Folder of the trace files: CENOTE_DATA, or `../shared/data` beside the project. */
export function dataFolder(): string {
  return (
    process.env['CENOTE_DATA'] ?? fileURLToPath(new URL('../../../shared/data', import.meta.url))
  );
}

/** @returns undefined when the file is not on this machine */
export function loadTrace(name: TraceName, folder: string = dataFolder()): Trace | undefined {
  const path = join(folder, traceFiles[name]);
  if (!existsSync(path)) return undefined;
  const ids: number[] = [];
  for (const line of gunzipSync(readFileSync(path)).toString('utf8').split('\n')) {
    if (line === '') continue;
    const request = JSON.parse(line) as { readonly hash_ids?: unknown };
    if (!Array.isArray(request.hash_ids)) throw new TypeError(`${path}: a line without hash_ids`);
    for (const id of request.hash_ids as unknown[]) {
      if (typeof id !== 'number') throw new TypeError(`${path}: ${String(id)} is not a block id`);
      ids.push(id);
    }
  }
  return numbered(name, ids);
}

/** Gives blocks dense numbers in order of first appearance. */
export function numbered(name: string, ids: readonly number[]): Trace {
  const numbers = new Map<number, number>();
  const references = new Int32Array(ids.length);
  for (const [index, id] of ids.entries()) {
    let number = numbers.get(id);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(id, number);
    }
    references[index] = number;
  }
  return { name, references, distinct: numbers.size };
}
