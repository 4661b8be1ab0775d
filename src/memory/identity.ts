/** The random part of a new region. */

import { randomBytes } from 'node:crypto';
import { systemClock } from '../base/clock.ts';
import type { Clock } from '../base/clock.ts';

export interface RegionIdentity {
  /** 32 hex digits. */
  readonly poolUuid: string;
  /** Signed 32-bit words. */
  readonly hashSeedLow: number;
  readonly hashSeedHigh: number;
  readonly createdAtMs: number;
}

/** A new identity from the system's random source. */
export function freshIdentity(clock: Clock = systemClock): RegionIdentity {
  const random = randomBytes(24);
  return {
    poolUuid: random.toString('hex', 0, 16),
    hashSeedLow: random.readInt32LE(16),
    hashSeedHigh: random.readInt32LE(20),
    createdAtMs: clock.nowMs(),
  };
}
