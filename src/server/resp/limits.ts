/** Every bound of the RESP server, with its default. */

import { fail } from '../../errors.ts';
import { withDefaults } from '../limits.ts';

export interface RespLimits {
  /** Arguments of one command, its name included. */
  readonly maxArguments: number;
  /** Largest bulk string. The pool's segment size may bound a part lower. */
  readonly maxBulkBytes: number;
  /** Longest inline command. */
  readonly maxInlineBytes: number;
  /** Bytes of one command that are kept in memory until it is complete: all but the bulks that go straight into the pool. */
  readonly maxCommandBytes: number;
  /** Likewise of all connections together. Beyond it those get `overloaded`, and are closed, that hold more than one read. */
  readonly maxHeldBytes: number;
  /** A value of this size or more is received straight into the pool, and sent straight from it. */
  readonly directBytes: number;
  /** Bound on the bytes of all values being received straight into pools; beyond it they get `overloaded`. */
  readonly maxInFlightBytes: number;
  /** Bytes that a connection may send before it has authenticated. */
  readonly authBytes: number;
  /** Time that it has for it. */
  readonly authTimeoutMs: number;
  /** Further connections get an error and are closed. */
  readonly maxConnections: number;
  /** Of these, one tenant: the others find room whatever it does. Whoever asks for no key is not counted. */
  readonly maxTenantConnections: number;
  /** A connection with this much output waiting is not read from until it has taken it. */
  readonly outputPauseBytes: number;
  /** Largest reply. */
  readonly maxReplyBytes: number;
  /**
   * Output of all connections together. Above it each is read from only while nothing waits for it, replies of many values get `overloaded`, and
   * those are closed that have taken nothing for `slowReaderMs`, the slowest first; at twice as much large values get `overloaded`.
   */
  readonly maxOutputBytes: number;
  readonly slowReaderMs: number;
  /** Longest pause in the middle of a command, or of a reader that takes no bytes. */
  readonly stallTimeoutMs: number;
  /** So long the commands that a connection has sent together may run, before it is the turn of others. */
  readonly turnMs: number;
  /** How often the times are looked at. */
  readonly sweepMs: number;
  /** What one read takes at most: small commands, … */
  readonly readBytes: number;
  /** … and values that go straight into the pool. The checksum is taken after each read, so what was read should still be in the cache. */
  readonly directReadBytes: number;
}

const kib = 1024;
const mib = 1024 * kib;

export const defaultRespLimits: RespLimits = {
  maxArguments: 65_536,
  maxBulkBytes: 512 * mib,
  maxInlineBytes: 64 * kib,
  maxCommandBytes: 16 * mib,
  maxHeldBytes: 512 * mib,
  directBytes: 16 * kib,
  maxInFlightBytes: 2048 * mib,
  authBytes: 16 * kib,
  authTimeoutMs: 10_000,
  maxConnections: 16_384,
  maxTenantConnections: 12_288,
  outputPauseBytes: 8 * mib,
  maxReplyBytes: 1024 * mib,
  maxOutputBytes: 1024 * mib,
  slowReaderMs: 2_000,
  stallTimeoutMs: 60_000,
  turnMs: 10,
  sweepMs: 1_000,
  readBytes: 128 * kib,
  directReadBytes: 512 * kib,
};

/** A read that small would never see a whole header. */
const readBytesMin = 64;

/** Fills in the defaults. @throws invalid_argument */
export function resolveRespLimits(given: Partial<RespLimits> = {}): RespLimits {
  const limits = withDefaults(defaultRespLimits, given);
  if (limits.readBytes < readBytesMin) {
    fail('invalid_argument', `Limit readBytes must be at least ${readBytesMin}.`);
  }
  return limits;
}
