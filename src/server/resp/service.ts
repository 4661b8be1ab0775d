/** What all connections of a server share, made from its options. */

import { systemClock, type Clock } from '../../base/clock.ts';
import type { Guard } from '../../guard/api.ts';
import { resolveRespLimits, type RespLimits } from './limits.ts';
import { Flushes } from './flushes.ts';
import { Gathering } from './output.ts';
import type { RespService } from './session.ts';
import { TenantCounts } from './tenant-counts.ts';
import { RespTraffic } from './traffic.ts';

export interface RespServiceOptions {
  readonly guard: Guard;
  readonly limits?: Partial<RespLimits> | undefined;
  readonly clock?: Clock | undefined;
  /** Told of errors without a code, which clients see with nothing of their inside. */
  readonly onError?: (error: unknown) => void;
}

/** Replies that are copied go out in writes of at most this. */
const gatheringBytes: number = 64 * 1024;

/** @throws invalid_argument for limits out of bounds */
export function makeRespService(options: RespServiceOptions): RespService {
  const { guard, clock = systemClock, onError = () => {} } = options;
  const limits = resolveRespLimits(options.limits);
  return {
    guard,
    limits,
    clock,
    traffic: new RespTraffic(),
    connectionsOf: new TenantCounts(),
    reading: Buffer.allocUnsafeSlow(limits.readBytes),
    gathering: new Gathering(gatheringBytes),
    flushes: new Flushes(),
    startedAtMs: clock.nowMs(),
    onError,
    phase: 'serving',
  };
}
