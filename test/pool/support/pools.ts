/** Pools that are closed, and folders that are removed, when their test is over. */

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { Clock } from '../../../src/base/clock.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import type { Lease, OpenOptions, Pool } from '../../../src/pool/api.ts';
import { openPool } from '../../../src/pool/open.ts';

export const mib: number = 2 ** 20;

/** A path for a pool, in a folder of its own. */
export function freshPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-pool-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'pool');
}

/** Shared unless there is a path; 16 MiB unless it exists or is said otherwise. */
export async function pool(options: OpenOptions = {}): Promise<Pool> {
  const { path, handle } = options;
  const isNew = handle === undefined && (path === undefined || !existsSync(path));
  const opened = await openPool({ ...(isNew ? { capacityBytes: 16 * mib } : {}), ...options });
  onTestFinished(() => opened.close());
  return opened;
}

/** Time that stands still until it is moved. */
export interface TestClock extends Clock {
  advance(ms: number): void;
}

export function testClock(): TestClock {
  let atMs = 1_700_000_000_000;
  return {
    nowMs: () => atMs,
    advance(ms) {
      atMs += ms;
    },
  };
}

export function bytesOf(lease: Lease | undefined): Buffer {
  if (lease === undefined) throw new Error('there is no lease');
  const { buffer, byteOffset, byteLength } = lease.data;
  return Buffer.from(new Uint8Array(buffer, byteOffset, byteLength));
}

/** The bytes of a part, its lease released. */
export function read(from: Pool, id: string, part: string): Buffer | undefined {
  const lease = from.get(id, part);
  if (lease === undefined) return undefined;
  const bytes = bytesOf(lease);
  lease.release();
  return bytes;
}

/** Expects a coded error. */
export function refuses(work: () => unknown, code: ErrorCode): void {
  expect(work).toThrow(expect.objectContaining({ name: 'CenoteError', code }));
}

/** Everything a pool tells of its contexts, but for how often they were used. */
export function contents(of: Pool): unknown[] {
  return of.list({ limit: 10_000 }).map(({ id, parts }) => ({
    id,
    parts: parts.map((info) => ({
      ...info,
      uses: 0,
      bytes: read(of, id, info.part)?.toString('base64'),
    })),
  }));
}

/** Expects the pool to be sound. */
export function expectSound(of: Pool): void {
  expect(of.check().errors).toEqual([]);
}

export function filled(sizeBytes: number, value: number): Uint8Array {
  return new Uint8Array(sizeBytes).fill(value);
}
