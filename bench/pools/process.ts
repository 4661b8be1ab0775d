/** What this process holds, from /proc: descriptors, resident and mapped memory. Zeros where there is no /proc. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';

export interface ProcessState {
  readonly descriptors: number;
  readonly mappings: number;
  readonly residentBytes: number;
  /** Resident bytes of shared memory and tmpfs files. */
  readonly residentSharedBytes: number;
  /** Address space. */
  readonly mappedBytes: number;
  readonly heapBytes: number;
}

export function processState(): ProcessState {
  const heapBytes = process.memoryUsage().heapUsed;
  if (!existsSync('/proc/self/status')) {
    return {
      descriptors: 0,
      mappings: 0,
      residentBytes: 0,
      residentSharedBytes: 0,
      mappedBytes: 0,
      heapBytes,
    };
  }
  const status = readFileSync('/proc/self/status', 'latin1');
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    mappings: readFileSync('/proc/self/maps', 'latin1').split('\n').length - 1,
    residentBytes: kibOf(status, 'VmRSS'),
    residentSharedBytes: kibOf(status, 'RssShmem'),
    mappedBytes: kibOf(status, 'VmSize'),
    heapBytes,
  };
}

function kibOf(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
}
