/** Serves a workload once and tells how much memory it took at most: `node memory-child.js TASK`. */

import { readFileSync } from 'node:fs';
import { LlamaModel } from '../../src/engine/llama/model.ts';
import type { MemoryTask } from './memory.ts';
import { models } from './models.ts';
import { play } from './play.ts';
import { ways } from './serving.ts';
import { workloadOf } from './workloads.ts';

/** Bytes; NaN where there is no /proc. */
function told(field: 'VmRSS' | 'VmHWM'): number {
  try {
    const status = readFileSync('/proc/self/status', 'latin1');
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
  } catch {
    return Number.NaN;
  }
}

const task = JSON.parse(process.argv[2] ?? '') as MemoryTask;
const asked = models.find(({ name }) => name === task.model);
const way = ways.find(({ name }) => name === task.way);
if (asked === undefined || way === undefined) throw new Error(`no ${task.model}, or ${task.way}`);
const workload = await workloadOf(task.workload, asked.roomTokens, task.quick);
const beforeBytes = told('VmRSS');
const model = new LlamaModel(task.modelPath);
const serving = await way.start({ ...asked, model }, task.folder);
await play(serving, model.vocabulary, workload.conversations);
const grownBytes = told('VmHWM') - beforeBytes;
await serving.close();
model.close();
process.send?.(Number.isNaN(grownBytes) ? undefined : grownBytes);
process.disconnect();
