/** Who and where this thread is: for owner slots and for telling one boot of the machine from the next. */

import { readFileSync } from 'node:fs';
import { threadId } from 'node:worker_threads';

export interface OwnerIdentity {
  readonly pid: number;
  /** Worker thread id; 0 is the main thread. */
  readonly tid: number;
  /** Start of the process in clock ticks since boot: tells a process from a later one with the same pid. 0 where unknown. */
  readonly startTime: number;
}

export const unknownBootId: string = '0'.repeat(32);

function readProc(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // not Linux, or /proc is not mounted
  }
}

/** Field 22 of /proc/PID/stat. Fields are counted from the end of the command name, which may hold spaces and brackets. */
function startTimeOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[19]);
  return Number.isSafeInteger(ticks) && ticks > 0 ? ticks : 0;
}

let identity: OwnerIdentity | undefined;

/** This thread. */
export function thisOwner(): OwnerIdentity {
  identity ??= {
    pid: process.pid,
    tid: threadId,
    startTime: startTimeOf(readProc('/proc/self/stat')),
  };
  return identity;
}

let bootId: string | undefined;

/** The kernel's boot id as 32 hex digits; zeros where there is none. */
export function thisBootId(): string {
  if (bootId === undefined) {
    const text = readProc('/proc/sys/kernel/random/boot_id')
      .trim()
      .replaceAll('-', '')
      .toLowerCase();
    bootId = /^[0-9a-f]{32}$/.test(text) ? text : unknownBootId;
  }
  return bootId;
}
