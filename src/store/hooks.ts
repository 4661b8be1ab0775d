/**
 * Interfaces that the store calls and rooms to its right implement. The defaults do nothing.
 *
 * Hooks run in the middle of a change: a call of the pool from one is refused (`called_from_hook`; releasing a lease is allowed), and what
 * one throws is reported as a process warning and stops nothing, except where a budget refuses to reserve.
 */

import type { KindName } from '../alloc/kind.ts';
import type { Ref } from '../memory/region.ts';
import type { Words } from '../memory/words.ts';

/** Bytes and contexts are reserved before work and refunded on every exit path. Called synchronously. */
export interface Budget {
  /** Told once, when a pool is opened: bytes of blocks that it holds from before. They are refunded like those reserved since. */
  opened?(sizeBytes: number): void;
  /** @throws budget_exceeded: the operation then changes nothing */
  reserve(kind: KindName, sizeBytes: number): void;
  refund(kind: KindName, sizeBytes: number): void;
  /** Asked before a context comes to be; there are `contexts` already. @throws budget_exceeded: the operation then changes nothing */
  admitContext?(contexts: number): void;
}

export type AuditAction = 'put' | 'append' | 'get' | 'delete' | 'evict' | 'expire' | 'invalidate';

export interface Audit {
  record(action: AuditAction, id: string, part: string, version: number): void;
}

/** `demoted`: it has become a record on the disk. */
export type RemovalReason =
  | 'replaced'
  | 'deleted'
  | 'evicted'
  | 'expired'
  | 'invalidated'
  | 'demoted';

/** Told before a part leaves hot memory; a tier may copy it elsewhere. Called synchronously: must not wait on I/O. */
export interface TierSink {
  leaving(
    id: string,
    part: string,
    version: number,
    bytes: Uint8Array,
    reason: RemovalReason,
  ): void;
}

export interface Hooks {
  readonly budget: Budget;
  readonly audit: Audit;
  readonly tierSink: TierSink;
}

/** The tier below memory, which a pool composes with its store; not one of the hooks that users give. */
export interface LowerTier {
  /**
   * Told of a part that goes and leaves no successor, before it is gone: what the tier has of it must not come back. Called in the middle of a
   * change: must not throw, nor wait.
   */
  leaving(ref: Ref, words: Words, at: number, reason: RemovalReason): void;
  /** Told of a part that gets another version, before it has. Likewise. */
  replacing(ref: Ref): void;
  /** The version of a part that is not in memory; 0: it is not here either. Asked under the pen. @throws part_corrupt */
  versionBelow(id: string, part: string): number;
}
