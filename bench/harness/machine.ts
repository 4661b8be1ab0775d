/** What a figure was measured on. */

import { existsSync, readFileSync } from 'node:fs';
import { cpus, freemem, loadavg, release, tmpdir, totalmem } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly totalBytes: number;
  readonly availableBytes: number;
  /** Over the last minute: above 1 something else was running. */
  readonly loadAverage: number;
  readonly node: string;
  readonly v8: string;
  readonly kernel: string;
  /** Huge pages for shared memory: `never` means 4 KiB pages and their TLB misses. */
  readonly shmemHugePages: string;
}

export function describeMachine(): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    totalBytes: totalmem(),
    availableBytes: freemem(),
    loadAverage: loadavg()[0] ?? 0,
    node: process.version,
    v8: process.versions.v8,
    kernel: release(),
    shmemHugePages: selected('/sys/kernel/mm/transparent_hugepage/shmem_enabled'),
  };
}

export function machineLine(machine: Machine): string {
  const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
  return (
    `${machine.cpu}, ${machine.cores} cores, ${gib(machine.availableBytes)} of ${gib(machine.totalBytes)} GiB available, ` +
    `load ${machine.loadAverage.toFixed(2)}, Node ${machine.node}, Linux ${machine.kernel}, ` +
    `shmem huge pages ${machine.shmemHugePages}`
  );
}

/** Where pools and peers put their files: the same kind of place for all. */
export function scratchRoot(): string {
  return existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
}

/** How many items of `itemBytes` fit into `share` of the memory that is available, at most `wanted`. */
export function fitting(wanted: number, itemBytes: number, share: number): number {
  return Math.max(1, Math.min(wanted, Math.floor((freemem() * share) / itemBytes)));
}

function selected(path: string): string {
  if (!existsSync(path)) return 'unknown';
  return /\[(\w+)\]/.exec(readFileSync(path, 'utf8'))?.[1] ?? 'unknown';
}
