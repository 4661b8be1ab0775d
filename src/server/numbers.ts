/** What a server counts, in one value that can be sent, and of several workers the sum. */

import type { LlamaEngine } from '../engine/api.ts';
import type { ServedGuard, TenantStatus } from '../guard/api.ts';
import type { DiskStats, PoolStats } from '../pool/api.ts';
import type { TrafficStats } from './http/traffic.ts';
import { pastModels, sumModels, type ModelNumbers } from './model-numbers.ts';
import type { RespStats } from './resp/traffic.ts';
import {
  type EngineNumbers,
  engineNumbersOf,
  pastOfEngines,
  sumOfEngines,
} from './engine-numbers.ts';
import { sumCounts, sumFields } from './sums.ts';

export interface ServerNumbers {
  /** Processes that serve. */
  readonly workers: number;
  readonly http: TrafficStats;
  /** Undefined where RESP is not spoken. */
  readonly resp?: RespStats | undefined;
  /** Undefined where there are no models of tensors. */
  readonly models?: ModelNumbers | undefined;
  readonly tenants: readonly TenantStatus[];
  /** By tenant; of pools that are or were open. */
  readonly pools: Readonly<Record<string, PoolStats>>;
  /** Absent where no model answers. */
  readonly engines?: readonly EngineNumbers[] | undefined;
}

/** The numbers of one process. */
export function numbersOf(
  guard: Pick<ServedGuard, 'tenants' | 'poolStats'>,
  http: TrafficStats,
  resp: RespStats | undefined,
  engine?: LlamaEngine,
  models?: ModelNumbers,
): ServerNumbers {
  const tenants = guard.tenants();
  const pools: Record<string, PoolStats> = {};
  for (const { name } of tenants) {
    const stats = guard.poolStats(name);
    if (stats !== undefined) pools[name] = stats;
  }
  const engines = engineNumbersOf(engine);
  return { workers: 1, http, resp, models, tenants, pools, engines };
}

/**
 * The numbers of all workers of a server. What a pool holds is in its memory, the same for each of them: it is taken from one that has the pool open.
 */
export function sumOf(all: readonly ServerNumbers[]): ServerNumbers {
  const resps = all.flatMap(({ resp }) => (resp === undefined ? [] : [resp]));
  const models = all.flatMap((one) => (one.models === undefined ? [] : [one.models]));
  const http = all.map((one) => one.http);
  return {
    workers: all.reduce((sum, { workers }) => sum + workers, 0),
    http: { ...sumFields(http), responses: sumCounts(http.map(({ responses }) => responses)) },
    ...(resps.length > 0 && {
      resp: {
        ...sumFields(resps),
        errors: sumCounts(resps.map(({ errors }) => errors)),
        closed: sumCounts(resps.map(({ closed }) => closed)) as RespStats['closed'],
      },
    }),
    ...(models.length > 0 && { models: sumModels(models) }),
    tenants: tenantsOf(all),
    pools: poolsOf(all),
    engines: sumOfEngines(all.flatMap(({ engines = [] }) => engines)),
  };
}

/** What is left of the numbers of workers that are gone: what they have counted, and nothing that is under way. */
export function pastOf(all: readonly ServerNumbers[]): ServerNumbers[] {
  const { http, resp, models, tenants, pools, engines = [] } = sumOf(all);
  return [
    {
      workers: 0,
      http: { ...http, connections: 0, running: 0, inFlightBytes: 0 },
      ...(resp !== undefined && {
        resp: { ...resp, connections: 0, inFlightBytes: 0, heldBytes: 0, waitingBytes: 0 },
      }),
      ...(models !== undefined && { models: pastModels(models) }),
      tenants: tenants.map((status) => ({
        ...status,
        isOpen: false,
        runningOperations: 0,
        inFlightBytes: 0,
      })),
      pools,
      engines: pastOfEngines(engines),
    },
  ];
}

/** Those that a living worker knows. */
function tenantsHere(all: readonly ServerNumbers[]): ReadonlySet<string> {
  return new Set(
    all.flatMap(({ workers, tenants }) => (workers === 0 ? [] : tenants.map(({ name }) => name))),
  );
}

function tenantsOf(all: readonly ServerNumbers[]): TenantStatus[] {
  const byName = new Map<string, TenantStatus[]>();
  const here = tenantsHere(all);
  for (const { tenants } of all) {
    for (const tenant of tenants) {
      if (!here.has(tenant.name)) continue; // removed since
      byName.set(tenant.name, [...(byName.get(tenant.name) ?? []), tenant]);
    }
  }
  return [...byName.values()]
    .map((each) => {
      const [first] = each as [TenantStatus];
      const open = each.find(({ isOpen }) => isOpen) ?? first;
      const sum = (of: (status: TenantStatus) => number): number =>
        each.reduce((total, status) => total + of(status), 0);
      return {
        ...open,
        runningOperations: sum(({ runningOperations }) => runningOperations),
        inFlightBytes: sum(({ inFlightBytes }) => inFlightBytes),
        operations: sum(({ operations }) => operations),
        refusals: sumCounts(each.map(({ refusals }) => refusals)) as TenantStatus['refusals'],
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Those of a worker that has the pool open before those of one that had it. */
function poolsOf(all: readonly ServerNumbers[]): Record<string, PoolStats> {
  const here = tenantsHere(all);
  const told = all.flatMap(({ tenants, pools: own }) =>
    tenants.flatMap(({ name, isOpen }) => {
      const stats = own[name];
      return stats === undefined || !here.has(name) ? [] : [{ name, isOpen, stats }];
    }),
  );
  const pools: Record<string, PoolStats> = {};
  for (const { name, stats } of told.sort((a, b) => Number(b.isOpen) - Number(a.isOpen))) {
    const known = pools[name];
    const disk = summedDisk(known?.disk, stats.disk);
    pools[name] = { ...(known ?? stats), ...(disk !== undefined && { disk }) };
  }
  return pools;
}

/** Sizes are those of the disk, as the one says; what has happened is counted by each process. */
function summedDisk(
  one: DiskStats | undefined,
  other: DiskStats | undefined,
): DiskStats | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const { usedBytes, maxBytes, doomed } = one;
  return { ...sumFields([one, other]), usedBytes, maxBytes, doomed };
}
