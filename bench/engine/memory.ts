/**
 * Memory of a way to serve a model: the peak of what is resident in a process of its own (VmHWM), less what was before the model was loaded. So weights,
 * contexts and the touched part of the pool are in it, Node itself is not.
 */

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { WorkloadName } from './workloads.ts';

export interface MemoryTask {
  readonly model: string;
  readonly modelPath: string;
  readonly way: string;
  readonly workload: WorkloadName;
  readonly quick: boolean;
  readonly folder: string;
}

/** @returns undefined where there is no /proc */
export async function memoryOf(task: MemoryTask): Promise<number | undefined> {
  const script = fileURLToPath(new URL('./memory-child.js', import.meta.url));
  return new Promise((resolve, reject) => {
    const child = fork(script, [JSON.stringify(task)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    let told: number | undefined;
    child.on('message', (bytes) => (told = bytes as number));
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) resolve(told);
      else reject(new Error(`the process that measures memory ended with ${code}`));
    });
  });
}
