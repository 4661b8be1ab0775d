/** Every bound of the HTTP server, with its default. */

import { fail } from '../../errors.ts';
import { withDefaults } from '../limits.ts';

export interface HttpLimits {
  /** Largest body of a PUT. The pool's segment size may bound a part lower. */
  readonly maxBodyBytes: number;
  /** Largest body of an append: it is buffered, so that it is appended whole or not at all. */
  readonly maxAppendBytes: number;
  /** Largest JSON body. */
  readonly maxJsonBytes: number;
  /** Largest body of a request for a completion. */
  readonly maxCompletionBytes: number;
  /** Largest body of a request for embeddings. */
  readonly maxEmbeddingBytes: number;
  /** Largest body of a request to a model of tensors. */
  readonly maxInferBytes: number;
  /** Most messages of a conversation. */
  readonly maxMessages: number;
  /** Longest time that a completion may take, from the end of its request to its last token. */
  readonly completionTimeoutMs: number;
  /** A streamed completion that has nothing to say sends a comment so often, at half of idleTimeoutMs at the latest. */
  readonly streamKeepAliveMs: number;
  /** Most parts that one batch reads or writes. */
  readonly maxBatchParts: number;
  /** Most bytes of parts that one batch reads: they are leased together. */
  readonly maxBatchBytes: number;
  /**
   * Bound on the bytes of all bodies being received at once; beyond it requests get `overloaded`.
   */
  readonly maxInFlightBytes: number;
  /** Longest request target. */
  readonly maxUrlBytes: number;
  /** Request line and headers together. */
  readonly maxHeaderBytes: number;
  /**
   * Further connections are closed unanswered. Idle, one takes about 5 KiB; before its key is known
   * at most maxHeaderBytes more.
   */
  readonly maxConnections: number;
  /**
   * Requests that one connection may have sent ahead of their answers; beyond it the connection is
   * cut.
   */
  readonly maxPipelined: number;
  /** From the first byte of a request to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** From the first byte of a request to the end of its body. */
  readonly requestTimeoutMs: number;
  /** Longest pause of a body being received, or of a reader that takes no bytes. */
  readonly idleTimeoutMs: number;
  /** How long a connection may wait for its next request. */
  readonly keepAliveTimeoutMs: number;
  /** How often headersTimeoutMs and requestTimeoutMs are looked at. */
  readonly timeoutCheckMs: number;
  /** What is left of a refused body is read to keep the connection, when it is at most this. */
  readonly maxDrainBytes: number;
  /**
   * Otherwise the connection closes; up to this much is read meanwhile, so that the client sees the
   * answer …
   */
  readonly lingerBytes: number;
  /** … and it closes after this time at the latest. */
  readonly lingerMs: number;
  /** A response hands pool memory to the socket in slices of this size. */
  readonly sliceBytes: number;
  /** What a body of unknown length reserves at first. */
  readonly chunkedReserveBytes: number;
}

const kib = 1024;
const mib = 1024 * kib;

export const defaultHttpLimits: HttpLimits = {
  maxBodyBytes: 512 * mib,
  maxAppendBytes: 16 * mib,
  maxJsonBytes: 64 * kib,
  maxCompletionBytes: mib,
  maxEmbeddingBytes: 4 * mib,
  maxInferBytes: 16 * mib,
  maxMessages: 1024,
  completionTimeoutMs: 600_000,
  streamKeepAliveMs: 15_000,
  maxBatchParts: 256,
  maxBatchBytes: 512 * mib,
  maxInFlightBytes: 2048 * mib,
  maxUrlBytes: 16 * kib,
  maxHeaderBytes: 32 * kib,
  maxConnections: 12_288,
  maxPipelined: 128,
  headersTimeoutMs: 15_000,
  requestTimeoutMs: 600_000,
  idleTimeoutMs: 60_000,
  keepAliveTimeoutMs: 5_000,
  timeoutCheckMs: 1_000,
  maxDrainBytes: 64 * kib,
  lingerBytes: mib,
  lingerMs: 2_000,
  sliceBytes: 256 * kib,
  chunkedReserveBytes: 64 * kib,
};

/** Fills in the defaults. @throws invalid_argument */
export function resolveLimits(given: Partial<HttpLimits> = {}): HttpLimits {
  const limits = withDefaults(defaultHttpLimits, given);
  if (limits.maxInFlightBytes < limits.maxBodyBytes) {
    fail(
      'invalid_argument',
      `maxInFlightBytes ${limits.maxInFlightBytes} is below maxBodyBytes ${limits.maxBodyBytes}.`,
    );
  }
  return limits;
}
