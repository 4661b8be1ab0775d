/** How what a pool says is compared with what the oracle knows. */

import assert from 'node:assert/strict';
import { crc32 } from '../../src/base/checksum.ts';
import { CenoteError, type ErrorCode } from '../../src/errors.ts';
import type { KindName, Lease, PartInfo } from '../../src/pool/api.ts';
import type { ModelPart } from './oracle.ts';

export interface HeldLease {
  readonly id: string;
  readonly part: string;
  readonly lease: Lease;
  /** A copy from when the lease was taken. */
  readonly bytes: Uint8Array;
  readonly version: number;
}

export function bytesOf(lease: Lease): Uint8Array {
  const { data } = lease;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

export function expectSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert(Buffer.compare(actual, expected) === 0, 'other bytes');
}

export function expectUnchanged({ lease, bytes, version }: HeldLease): void {
  expectSameBytes(bytesOf(lease), bytes);
  assert.equal(lease.version, version);
  assert.equal(lease.sizeBytes, bytes.length);
}

export function expectLease(lease: Lease, expected: ModelPart): void {
  expectSameBytes(bytesOf(lease), expected.bytes);
  assert.equal(lease.version, expected.version);
  assert.equal(lease.kind, expected.kind);
  assert.equal(lease.elementType, expected.elementType);
  if (expected.elementType !== 'utf8') return;
  assert(lease.text() === Buffer.from(expected.bytes).toString(), 'another text');
}

export function expectInfo(info: PartInfo | undefined, expected: ModelPart | undefined): void {
  assert.equal(info === undefined, expected === undefined);
  if (info === undefined || expected === undefined) return;
  const { kind, elementType, sizeBytes, version, expiresAtMs, pinned, sensitive, tags } = info;
  const { bytes, ...rest } = expected;
  assert.deepEqual({ kind, elementType, version, expiresAtMs, pinned, sensitive, tags }, rest);
  assert.equal(sizeBytes, bytes.length);
  assert.equal(info.crc32, crc32(bytes) >>> 0);
}

export function expectCode(code: ErrorCode, work: () => unknown): void {
  assert.throws(work, (error) => {
    if (!(error instanceof CenoteError)) throw error;
    assert.equal(error.code, code);
    return true;
  });
}

export function defaultKind(type: string): KindName {
  if (type === 'u32') return 'tokens';
  if (type === 'f32' || type === 'f64') return 'embedding';
  return type === 'utf8' ? 'metadata' : 'blob';
}
