/** A system whose file and system calls fail from the n-th on, with the errno that is asked for. */

import { nodeFiles } from '../../../src/memory/files.ts';
import { osCalls } from '../../../src/memory/os.ts';
import type { MappedSystem } from '../../../src/memory/pool-files.ts';

export interface FailingSystem extends MappedSystem {
  /** Calls that were made. */
  calls(): number;
}

/** Calls that give something back to the system, or only ask, never fail for want of room; close still closes. */
const neverFailing: ReadonlySet<string> = new Set([
  'close',
  'mapZeros',
  'unmap',
  'isLocked',
  'addressOf',
  'currentNode',
  'preferNode',
  'collapse',
  'preferHuge',
]);

function withFailures<T extends object>(calls: T, fails: () => Error | undefined): T {
  const wrapped = Object.entries(calls).map(([name, call]) => [
    name,
    (...values: unknown[]): unknown => {
      const error = neverFailing.has(name) ? undefined : fails();
      if (error !== undefined) throw Object.assign(error, { syscall: name });
      return (call as (...given: unknown[]) => unknown)(...values);
    },
  ]);
  return Object.fromEntries(wrapped) as T;
}

/** The n-th call (from 1) fails with `code`, and all later ones with it when `forever`. */
export function failingSystem(n: number, code: string, forever: boolean): FailingSystem {
  let made = 0;
  const fails = (): Error | undefined => {
    made += 1;
    const hit = forever ? made >= n : made === n;
    return hit ? Object.assign(new Error(`injected ${code}`), { code }) : undefined;
  };
  return {
    files: withFailures(nodeFiles, fails),
    os: withFailures(osCalls(), fails),
    calls: () => made,
  };
}
