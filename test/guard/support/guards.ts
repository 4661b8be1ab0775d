/** Guards over fresh folders, for one test. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished } from 'vitest';

import type { ErrorCode } from '../../../src/errors.ts';
import type { Administration, Caller, Scope } from '../../../src/guard/api.ts';
import { openGuard, type DataGuard, type GuardOptions } from '../../../src/guard/data-guard.ts';
import type { Pool } from '../../../src/pool/api.ts';

export const mib: number = 2 ** 20;

/** A clock that goes when it is told to. */
export function testClock(startMs = 1_700_000_000_000): {
  nowMs(): number;
  advance(ms: number): void;
} {
  let now = startMs;
  return { nowMs: () => now, advance: (ms) => void (now += ms) };
}

export async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cenote-guard-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface TestGuard {
  readonly guard: DataGuard;
  readonly folder: string;
  /** What `maintain` had to report. */
  readonly errors: unknown[];
  readonly admin: Administration;
}

/** Opens a guard of 32 MiB; it is closed with the test. */
export async function open(
  folder?: string,
  options: Partial<GuardOptions> = {},
): Promise<TestGuard> {
  const at = folder ?? (await freshFolder());
  const errors: unknown[] = [];
  const guard = await openGuard(at, {
    withKeys: true,
    newCapacityBytes: 32 * mib,
    onError: (error) => errors.push(error),
    ...options,
  });
  onTestFinished(() => guard.close());
  return { guard, folder: at, errors, admin: guard.administration };
}

const allScopes: readonly Scope[] = ['ctx:read', 'ctx:write', 'ctx:delete'];

/** A new key of a tenant, as its caller. */
export async function callerOf(
  { guard, admin }: TestGuard,
  tenant: string,
  scopes: readonly Scope[] = allScopes,
): Promise<Caller> {
  const { key } = await admin.createKey({ tenant, scopes });
  return guard.identify(key) as Caller;
}

/** Does something with the pool of a caller as a wire would. */
export async function using<T>(caller: Caller, work: (pool: Pool) => T | Promise<T>): Promise<T> {
  caller.begin(0);
  try {
    return await work(caller.pool ?? (await caller.open()));
  } finally {
    caller.end(0);
  }
}

/** The code that something is refused with. */
export async function codeOf(work: () => unknown): Promise<ErrorCode | undefined> {
  try {
    await work();
  } catch (error) {
    expect(error).toHaveProperty('code');
    return (error as { code: ErrorCode }).code;
  }
  return undefined;
}
