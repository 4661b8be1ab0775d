/** The published traces, where this machine has them. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readTrace } from '../../src/kv/traces/read.ts';
import type { Trace } from '../../src/kv/traces/trace.ts';

export const traceFiles = {
  conversation: 'mooncake_conversation_trace.jsonl.gz',
  agentic: 'agentic_coding_trace.jsonl.gz',
  azureCode: 'AzureLLMInferenceTrace_2023_code.csv.gz',
  cloudPhysics: 'cloudPhysicsIO.oracleGeneral.bin.gz',
} as const;
export type TraceName = keyof typeof traceFiles;

/** Where this module is in the project: compiled, it is one folder deeper. */
const root = import.meta.url.includes('/dist-bench/') ? '../../../' : '../../';

/** Folder of the trace files: CENOTE_DATA, or `../shared/data` beside the project. */
export function dataFolder(): string {
  return (
    process.env['CENOTE_DATA'] ?? fileURLToPath(new URL(`${root}../shared/data`, import.meta.url))
  );
}

/** Where the file of a trace is; undefined when it is not on this machine. */
export function tracePath(name: TraceName): string | undefined {
  const path = join(dataFolder(), traceFiles[name]);
  return existsSync(path) ? path : undefined;
}

/** @returns undefined when the file is not on this machine */
export async function loadTrace(name: TraceName): Promise<Trace | undefined> {
  const path = tracePath(name);
  return path === undefined ? undefined : readTrace(path);
}
