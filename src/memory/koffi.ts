/** What koffi is to the files that call the system through it. */

import { getSystemErrorName } from 'node:util';

/** The part of koffi that is used here. */
export interface Koffi {
  load(path: null): { func(prototype: string): (...values: unknown[]) => unknown };
  view(address: bigint, sizeBytes: number): ArrayBuffer;
  address(bytes: Uint8Array): bigint;
  errno(): number;
}

export type Libc = ReturnType<Koffi['load']>;

/** An error as node:fs throws them: `code` is the name of the errno. */
export interface SystemError extends Error {
  readonly code: string;
  readonly syscall: string;
}

export function systemError(syscall: string, errno: number): SystemError {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${syscall} failed with ${code}`), { code, errno, syscall });
}
