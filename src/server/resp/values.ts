/** Values between commands and the pool: numbers, parts that are written, leases that are sent. */

import { fail } from '../../errors.ts';
import type { Caller } from '../../guard/api.ts';
import type { Lease } from '../../pool/api.ts';
import type { Arguments } from './arguments.ts';
import { bytesOfLease, type Held } from './output.ts';
import { poolOf, unauthorized, type Session } from './session.ts';

/** The part of a context that is the value of a string key. */
export const valuePart = 'value';

/** A number as Redis writes it, of at most 16 digits: 2^53 has so many. */
const integerPattern = /^(?:0|-?[1-9]\d{0,15})$/;

/** @throws invalid_argument */
export function integerAt(args: Arguments, index: number): number {
  const text = args.latin1(index);
  const value = integerPattern.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) {
    fail('invalid_argument', 'value is not an integer or out of range');
  }
  return value;
}

export function syntaxError(): never {
  fail('invalid_argument', 'syntax error');
}

/** A lease until its bytes are sent, and what was reserved for it. */
class SentLease implements Held {
  readonly #lease: Lease;
  readonly #caller: Caller;
  readonly #reservedBytes: number;

  constructor(lease: Lease, caller: Caller, reservedBytes: number) {
    this.#lease = lease;
    this.#caller = caller;
    this.#reservedBytes = reservedBytes;
  }

  release(): void {
    this.#lease.release();
    this.#caller.end(this.#reservedBytes);
  }
}

/** Replies with a value, or that there is none: the one value of a command, which reserves here what it uses. */
export function sendValue(session: Session, lease: Lease | undefined): void {
  if (lease === undefined) {
    reserveNothing(session);
    session.out.none();
    return;
  }
  sendPiece(session, lease, 0, lease.sizeBytes);
}

/** Counts an operation that holds nothing. */
export function reserveNothing(session: Session): void {
  const caller = session.caller ?? unauthorized();
  caller.begin(0);
  caller.end(0);
}

/** Likewise a piece of it. */
export function sendPiece(session: Session, lease: Lease, from: number, to: number): void {
  const caller = session.caller ?? unauthorized();
  try {
    checkReply(session, to - from, 0);
    caller.begin(lease.sizeBytes);
  } catch (error) {
    lease.release();
    throw error;
  }
  const { out, service } = session;
  const { sizeBytes } = lease;
  const whole = bytesOfLease(lease);
  const bytes = to - from === sizeBytes ? whole : whole.subarray(from, to);
  if (bytes.length >= service.limits.directBytes) {
    out.bulkInPlace(bytes, new SentLease(lease, caller, sizeBytes));
    return;
  }
  // What is copied is bounded by what a connection may have waiting.
  out.bulk(bytes);
  lease.release();
  caller.end(sizeBytes);
}

/** Leases that one reply needs all of, before its first byte: they are sent, or given back. */
export class Leases {
  readonly #session: Session;
  readonly #leases: (Lease | undefined)[] = [];
  #sizeBytes = 0;
  /** What of them is copied. */
  #copiedBytes = 0;
  /** Who has reserved what the large ones hold. */
  #reserver: Caller | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  get count(): number {
    return this.#leases.length;
  }

  /** @throws value_too_large, overloaded, part_corrupt: all are given back then */
  take(id: string, part: string): Lease | undefined {
    try {
      const lease = poolOf(this.#session).get(id, part);
      this.#leases.push(lease);
      const sizeBytes = lease?.sizeBytes ?? 0;
      this.#sizeBytes += sizeBytes;
      if (!this.#isLarge(sizeBytes)) this.#copiedBytes += sizeBytes;
      checkReply(this.#session, this.#sizeBytes, this.#copiedBytes);
      return lease;
    } catch (error) {
      this.giveBack();
      throw error;
    }
  }

  /** Forgets places where nothing was found. */
  dropMissing(): void {
    const found = this.#leases.filter((lease) => lease !== undefined);
    this.#leases.splice(0, Infinity, ...found);
  }

  /** Reserves what the large ones hold until they are sent. @throws budget_exceeded, rate_limited: all are given back then */
  reserve(): void {
    const caller = this.#session.caller ?? unauthorized();
    const reserved: Lease[] = [];
    try {
      for (const lease of this.#leases) {
        if (lease === undefined || !this.#isLarge(lease.sizeBytes)) continue;
        caller.begin(lease.sizeBytes);
        reserved.push(lease);
      }
    } catch (error) {
      for (const { sizeBytes } of reserved) caller.end(sizeBytes);
      this.giveBack();
      throw error;
    }
    this.#reserver = caller;
  }

  /** Sends a lease that was taken and reserved. */
  send(index: number): void {
    const { out } = this.#session;
    const lease = this.#leases[index];
    this.#leases[index] = undefined;
    if (lease === undefined) {
      out.none();
    } else if (!this.#isLarge(lease.sizeBytes)) {
      out.bulk(bytesOfLease(lease));
      lease.release();
    } else {
      const sent = new SentLease(lease, this.#reserver ?? unauthorized(), lease.sizeBytes);
      out.bulkInPlace(bytesOfLease(lease), sent);
    }
  }

  /** Gives back those that are not sent. */
  giveBack(): void {
    for (const lease of this.#leases) {
      if (lease === undefined) continue;
      lease.release();
      if (this.#isLarge(lease.sizeBytes)) this.#reserver?.end(lease.sizeBytes);
    }
    this.#leases.length = 0;
  }

  #isLarge(sizeBytes: number): boolean {
    return sizeBytes >= this.#session.service.limits.directBytes;
  }
}

/** @throws value_too_large, overloaded */
function checkReply({ service, out }: Session, sizeBytes: number, copiedBytes: number): void {
  const { maxReplyBytes, maxOutputBytes, directBytes } = service.limits;
  if (sizeBytes < directBytes) return;
  if (sizeBytes > maxReplyBytes) {
    fail('value_too_large', `the reply would have ${sizeBytes} bytes, above ${maxReplyBytes}`);
  }
  const { waitingBytes, copiedBytes: copied } = service.traffic;
  // Copies take memory of the server, so they have to fit whoever asks; what is leased lies in a pool, and one of it may be sent to anybody.
  const hasRoom = copied + copiedBytes <= maxOutputBytes || copiedBytes < directBytes;
  if (hasRoom && (waitingBytes + sizeBytes <= 2 * maxOutputBytes || out.waitingBytes === 0)) return;
  fail('overloaded', 'too many bytes of replies wait for their readers');
}
