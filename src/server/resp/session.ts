/** What commands know of the connection that they came on, and of the server. */

import type { Clock } from '../../base/clock.ts';
import { fail } from '../../errors.ts';
import type { Caller, Guard } from '../../guard/api.ts';
import type { Pool } from '../../pool/api.ts';
import type { Phase } from '../http/exchange.ts';
import type { RespLimits } from './limits.ts';
import type { Flushes } from './flushes.ts';
import type { Gathering, Output } from './output.ts';
import type { TenantCounts } from './tenant-counts.ts';
import type { RespTraffic } from './traffic.ts';

/** What all connections share. */
export interface RespService {
  readonly guard: Guard;
  readonly limits: RespLimits;
  readonly clock: Clock;
  readonly traffic: RespTraffic;
  readonly connectionsOf: TenantCounts;
  /** What chunks are read into: they are parsed before anybody else reads. */
  readonly reading: Buffer;
  readonly gathering: Gathering;
  readonly flushes: Flushes;
  readonly startedAtMs: number;
  readonly onError: (error: unknown) => void;
  phase: Phase;
}

export interface Session {
  readonly service: RespService;
  readonly id: number;
  readonly out: Output;
  /** Who calls; undefined until somebody has authenticated. */
  caller: Caller | undefined;
  name: string;
  /** The connection ends when its replies are sent. */
  isEnding: boolean;
}

/** The pool of the caller, open since the chunk was looked at. @throws unauthorized, and what opening has thrown */
export function poolOf(session: Session): Pool {
  const { caller } = session;
  if (caller === undefined) return unauthorized();
  return caller.pool ?? fail('pool_closed', 'The pool of this tenant is not open.');
}

export function unauthorized(): never {
  fail('unauthorized', 'Authentication required.');
}
