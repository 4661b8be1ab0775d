/** The numbers of several workers as those of one server. */

import { expect, it } from 'vitest';
import type { TenantStatus } from '../../src/guard/api.ts';
import type { DiskStats, PoolStats } from '../../src/pool/api.ts';
import { pastOf, type ServerNumbers, sumOf } from '../../src/server/numbers.ts';

const nothing: DiskStats = {
  usedBytes: 0,
  maxBytes: 1000,
  doomed: 0,
  persisted: 0,
  promoted: 0,
  dropped: 0,
  lagged: 0,
  versionsLagged: 0,
  corrupt: 0,
  bytesWritten: 0,
  bytesRead: 0,
};

interface Told {
  readonly disk: Partial<DiskStats>;
  readonly isOpen?: boolean;
  readonly parts?: number;
  readonly name?: string;
}

/** What a worker tells of a tenant. */
function worker({ disk, isOpen = true, parts = 1, name = 'acme' }: Told): ServerNumbers {
  const refusals = { rate_limited: 0, budget_exceeded: 0 };
  const tenant = { name, isOpen, operations: 1, runningOperations: 0, inFlightBytes: 0, refusals };
  return {
    workers: 1,
    http: { connections: 1, running: 0, inFlightBytes: 0, responses: { '200': 1 } },
    tenants: [tenant as unknown as TenantStatus],
    pools: { [name]: { parts, disk: { ...nothing, ...disk } } as unknown as PoolStats },
  };
}

const acme = (all: readonly ServerNumbers[]): PoolStats | undefined => sumOf(all).pools['acme'];

it('add up what happened to the disk at each worker, also at those that have closed the pool', () => {
  const workers = [
    worker({ disk: { persisted: 1, usedBytes: 100 }, isOpen: false, parts: 7 }),
    worker({ disk: { persisted: 10, usedBytes: 300 }, parts: 9 }),
    worker({ disk: { persisted: 100, usedBytes: 300 }, parts: 9 }),
  ];
  expect(acme(workers)).toMatchObject({
    parts: 9,
    disk: { persisted: 111, usedBytes: 300, maxBytes: 1000 },
  });
  expect(acme(workers.toReversed())).toEqual(acme(workers));
});

it('keep what workers have counted that are gone, and the sizes of now', () => {
  const left = pastOf([
    worker({ disk: { persisted: 5, bytesWritten: 50, usedBytes: 900 }, parts: 3 }),
  ]);
  const now = worker({ disk: { persisted: 2, usedBytes: 100 }, parts: 4 });
  const further = pastOf([...left, now]);
  expect(
    acme([worker({ disk: { persisted: 1, usedBytes: 40 }, parts: 5 }), ...further]),
  ).toMatchObject({
    parts: 5,
    disk: { persisted: 8, bytesWritten: 50, usedBytes: 40 },
  });
});

it('forget tenants that are gone', () => {
  const left = pastOf([worker({ disk: { persisted: 5 } })]);
  const { pools, tenants } = sumOf([worker({ disk: {}, name: 'other' }), ...left]);
  expect(Object.keys(pools)).toEqual(['other']);
  expect(tenants.map(({ name }) => name)).toEqual(['other']);
});

it('add up what models have done, and forget the sequences of workers that are gone', () => {
  const infer = { vad: { accepted: 5, completed: 4, failed: 1, batches: 2, live: 3 } };
  const embeddings = { inputs: 10, hits: 2, unkept: 0, batches: 1, rows: 8 };
  const one = { ...worker({ disk: {} }), models: { infer, embeddings } };
  expect(sumOf([one, worker({ disk: {} }), ...pastOf([one])]).models).toEqual({
    infer: { vad: { accepted: 10, completed: 8, failed: 2, batches: 4, live: 3 } },
    embeddings: { inputs: 20, hits: 4, unkept: 0, batches: 2, rows: 16 },
  });
  expect(sumOf([worker({ disk: {} })]).models).toBe(undefined);
});
