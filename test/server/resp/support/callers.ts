/** Callers that keep books of what they are asked, and a RESP server for them. */

import assert from 'node:assert/strict';

import { expect, onTestFinished } from 'vitest';

import { fail } from '../../../../src/errors.ts';
import type { Caller, Guard, Scope } from '../../../../src/guard/api.ts';
import type { Pool } from '../../../../src/pool/api.ts';
import { openPool } from '../../../../src/pool/open.ts';
import type { RespLimits } from '../../../../src/server/resp/limits.ts';
import { makeRespService } from '../../../../src/server/resp/service.ts';
import type { RespService } from '../../../../src/server/resp/session.ts';
import { RespWire } from '../../../../src/server/resp/wire.ts';
import { ErrorReply, RespClient, type Reply } from './client.ts';

export const mib: number = 2 ** 20;

/** A caller whose pool opens when it is told to, and that keeps the books. */
export class TestCaller implements Caller {
  readonly tenant: string;
  readonly tenantIdentity: string;
  readonly #pool: Pool;
  readonly #scopes: ReadonlySet<Scope>;
  isValid = true;
  isOpen = false;
  opened = 0;
  openWith: Error | undefined;
  operations = 0;
  running = 0;
  inFlightBytes = 0;
  maxInFlightBytes: number = Infinity;
  maxOperations: number = Infinity;

  constructor(tenant: string, pool: Pool, scopes: readonly Scope[]) {
    this.tenant = tenant;
    this.tenantIdentity = tenant;
    this.#pool = pool;
    this.#scopes = new Set(scopes);
  }

  can(scope: Scope): boolean {
    return this.#scopes.has(scope);
  }

  grow(inFlightBytes: number): void {
    this.inFlightBytes += inFlightBytes;
  }

  demand(scope: Scope): void {
    if (!this.can(scope)) fail('forbidden', `The key has no scope ${scope}.`);
  }

  get pool(): Pool | undefined {
    return this.isOpen ? this.#pool : undefined;
  }

  async open(): Promise<Pool> {
    this.opened++;
    await new Promise((resolve) => setImmediate(resolve));
    if (this.openWith !== undefined) throw this.openWith;
    this.isOpen = true;
    return this.#pool;
  }

  begin(inFlightBytes: number): void {
    if (this.operations >= this.maxOperations) fail('rate_limited', 'Too many operations.');
    if (this.inFlightBytes + inFlightBytes > this.maxInFlightBytes) {
      fail('budget_exceeded', 'Too many bytes in flight.');
    }
    this.operations++;
    this.running++;
    this.inFlightBytes += inFlightBytes;
  }

  end(inFlightBytes: number): void {
    this.running--;
    this.inFlightBytes -= inFlightBytes;
    assert(this.running >= 0 && this.inFlightBytes >= 0, 'given back more than was reserved');
  }
}

const all: readonly Scope[] = ['ctx:read', 'ctx:write', 'ctx:delete'];

export interface Started {
  readonly a: TestCaller;
  readonly b: TestCaller;
  readonly reader: TestCaller;
  readonly service: RespService;
  readonly connect: (key?: string) => Promise<RespClient>;
}

export async function start(limits: Partial<RespLimits> = {}): Promise<Started> {
  const pools = [
    await openPool({ capacityBytes: 64 * mib }),
    await openPool({ capacityBytes: 64 * mib }),
  ];
  const a = new TestCaller('a', pools[0]!, all);
  const b = new TestCaller('b', pools[1]!, all);
  const reader = new TestCaller('a', pools[0]!, ['ctx:read']);
  const callers: Record<string, TestCaller> = { 'key-a': a, 'key-b': b, 'key-reader': reader };
  const guard: Guard = {
    anonymous: undefined,
    identify(key, tenant) {
      const caller = callers[key];
      return tenant === undefined || caller?.tenant === tenant ? caller : undefined;
    },
  };
  const service = makeRespService({ guard, limits });
  const wire = new RespWire(service);
  const { port } = await wire.listen('127.0.0.1', 0);
  onTestFinished(async () => {
    service.phase = 'closing';
    await wire.close(0);
    const { copiedBytes, heldBytes, inFlightBytes, waitingBytes } = service.traffic;
    expect([copiedBytes, heldBytes, inFlightBytes, waitingBytes]).toEqual([0, 0, 0, 0]);
    for (const caller of [a, b, reader]) {
      expect([caller.running, caller.inFlightBytes]).toEqual([0, 0]);
    }
    for (const pool of pools) await pool.close();
  });
  const connect = async (key?: string): Promise<RespClient> => {
    const client = await RespClient.to(`redis://127.0.0.1:${port}`);
    if (key !== undefined) expect(await client.call('AUTH', key)).toBe('OK');
    if (key !== undefined) expect(await client.call('CLIENT', 'SETNAME', 'test')).toBe('OK');
    return client;
  };
  return { a, b, reader, service, connect };
}

export function errorOf(reply: Reply): string {
  expect(reply).toBeInstanceOf(ErrorReply);
  const { word, code } = reply as ErrorReply;
  return `${word} ${code}`;
}
