/** What is measured of pools, of tenants, and of the HTTP server. */

import { kinds } from '../../alloc/kind.ts';
import type { Tier } from '../../alloc/api.ts';
import type { TenantRefusal, TenantStatus } from '../../guard/api.ts';
import type { DiskStats, OperationName, PoolStats } from '../../pool/api.ts';
import { counter, expositionText, gauge, joined, labelled, type Family } from './exposition.ts';
import type { ServerNumbers } from '../numbers.ts';
import { engineFamilies } from './engine-metrics.ts';
import { modelFamilies } from './model-metrics.ts';
import { respFamilies } from './resp-metrics.ts';
import type { TrafficStats } from './traffic.ts';

/** Tenants that have series of their own, in the order of their names: the page must stay small. */
const measuredTenantsMax = 100;

const operations: Record<OperationName, { readonly name: string; readonly help: string }> = {
  gets: { name: 'gets', help: 'Reads of parts.' },
  hits: { name: 'hits', help: 'Reads that found their part.' },
  misses: { name: 'misses', help: 'Reads that found no part.' },
  puts: { name: 'puts', help: 'Parts written or replaced.' },
  appends: { name: 'appends', help: 'Appends to parts.' },
  deletes: { name: 'deletes', help: 'Parts deleted on request.' },
  evictions: { name: 'evictions', help: 'Parts evicted to make room.' },
  expirations: { name: 'expirations', help: 'Parts removed because their time was over.' },
  invalidations: { name: 'invalidations', help: 'Parts deleted by tag.' },
  poolFull: { name: 'pool_full', help: 'Writes refused because nothing more could go.' },
  versionConflicts: { name: 'version_conflicts', help: 'Conditional writes that were refused.' },
  corruptParts: { name: 'corrupt_parts', help: 'Parts whose checksum did not match.' },
  moves: { name: 'moves', help: 'Parts moved to bring free memory together.' },
  demotions: { name: 'demotions', help: 'Parts moved from memory to the disk tier.' },
  bytesWritten: { name: 'written_bytes', help: 'Bytes written into parts.' },
  bytesRead: { name: 'read_bytes', help: 'Bytes of parts that leases showed.' },
};

/** @param only the page is for one tenant, whom the others and the traffic of the server do not concern */
export function metricsPage(numbers: ServerNumbers, only?: string): string {
  const { tenants, pools, workers, http, resp, engines = [], models } = numbers;
  const shown = tenants.filter(({ name }) => only === undefined || name === only);
  const groups = shown.slice(0, measuredTenantsMax).map((status) => {
    const pool = pools[status.name];
    const ofPool = pool === undefined ? [] : [...poolFamilies(pool), ...operationFamilies(pool)];
    return { name: status.name, families: [...tenantFamilies(status), ...ofPool] };
  });
  const server =
    only === undefined
      ? [
          gauge('workers', 'Processes that serve.', workers),
          gauge('tenants', 'Tenants.', tenants.length),
          ...httpFamilies(http),
          ...(resp === undefined ? [] : respFamilies(resp)),
          ...engineFamilies(engines),
          ...(models === undefined ? [] : modelFamilies(models)),
        ]
      : [];
  return expositionText([...joined('tenant', groups), ...server]);
}

function tenantFamilies(status: TenantStatus): Family[] {
  const codes = Object.keys(status.refusals) as TenantRefusal[];
  return [
    gauge('tenant_open', 'Whether the pool is open.', Number(status.isOpen)),
    gauge('tenant_running_operations', 'Operations under way.', status.runningOperations),
    gauge(
      'tenant_in_flight_bytes',
      'Bytes that operations hold outside of the pool or in leases.',
      status.inFlightBytes,
    ),
    ...(status.storedBytes === undefined
      ? []
      : [gauge('tenant_stored_bytes', 'Bytes of blocks that hold parts.', status.storedBytes)]),
    counter('tenant_operations', 'Operations begun.', status.operations),
    labelled(
      'counter',
      'tenant_refusals_total',
      'Operations refused because of a quota, by code.',
      codes.map((code) => ({ labels: { code }, value: status.refusals[code] })),
    ),
  ];
}

function poolFamilies(stats: PoolStats): Family[] {
  const { memory } = stats;
  const used = stats.capacityBytes === 0 ? 0 : memory.usedBytes / stats.capacityBytes;
  return [
    gauge('capacity_bytes', 'Bound on the bytes of all segments.', stats.capacityBytes),
    gauge('reserved_bytes', 'Bytes of all segments.', memory.reservedBytes),
    gauge('metadata_bytes', 'Bytes of the own metadata of segments.', memory.metadataBytes),
    gauge('used_bytes', 'Bytes of slabs, runs and extents handed out.', memory.usedBytes),
    gauge('live_bytes', 'Usable bytes of live allocations.', memory.liveBytes),
    gauge('free_bytes', 'Bytes that are free.', memory.freeBytes),
    gauge(
      'given_back_bytes',
      'Bytes of free memory that are with the system.',
      memory.givenBackBytes,
    ),
    gauge('largest_free_run_bytes', 'Largest free run.', memory.largestFreeRunBytes),
    gauge('part_bytes', 'Bytes of live parts.', stats.partBytes),
    gauge('max_part_bytes', 'Largest part that fits an empty segment.', stats.maxPartBytes),
    gauge('used_ratio', 'Used bytes of capacity.', used),
    gauge('contexts', 'Contexts.', stats.contexts),
    gauge('parts', 'Live parts.', stats.parts),
    gauge('pinned_parts', 'Pinned parts.', stats.pinnedParts),
    gauge(
      'retired_parts',
      'Replaced or deleted parts that a lease still shows.',
      stats.retiredParts,
    ),
    gauge('segments', 'Segments.', stats.segments),
    ...allocatorFamilies(stats),
    ...(stats.disk === undefined ? [] : diskFamilies(stats.disk)),
  ];
}

function diskFamilies(disk: DiskStats): Family[] {
  const moves = {
    persisted: disk.persisted,
    promoted: disk.promoted,
    dropped: disk.dropped,
    demote_lagged: disk.lagged,
  };
  return [
    gauge('disk_used_bytes', 'Bytes of records in the disk tier.', disk.usedBytes),
    gauge('disk_max_bytes', 'Bound on the bytes of the disk tier.', disk.maxBytes),
    gauge('disk_doomed', 'Records that are to be removed.', disk.doomed),
    labelled(
      'counter',
      'disk_moves_total',
      'Parts written to the disk, brought back, dropped from memory since the disk had them, or lost before they were written.',
      Object.entries(moves).map(([reason, value]) => ({ labels: { reason }, value })),
    ),
    counter('disk_corrupt_parts', 'Records that were damaged.', disk.corrupt),
    counter('disk_written_bytes', 'Bytes of parts written to the disk.', disk.bytesWritten),
    counter('disk_read_bytes', 'Bytes of parts read from the disk.', disk.bytesRead),
  ];
}

function allocatorFamilies({ memory }: PoolStats): Family[] {
  const byKind = (name: string, help: string, field: 'usedBytes' | 'liveBytes'): Family =>
    labelled(
      'gauge',
      name,
      help,
      memory.kinds.map((kind, index) => ({
        labels: { kind: kinds[index] ?? String(index) },
        value: kind[field],
      })),
    );
  const tiers = Object.keys(memory.tiers) as Tier[];
  return [
    byKind('kind_used_bytes', 'Bytes handed out, by kind.', 'usedBytes'),
    byKind('kind_live_bytes', 'Usable bytes of live allocations, by kind.', 'liveBytes'),
    labelled(
      'gauge',
      'tier_live_bytes',
      'Usable bytes of live allocations, by tier.',
      tiers.map((tier) => ({ labels: { tier }, value: memory.tiers[tier].liveBytes })),
    ),
    counter('allocations', 'Allocations.', memory.allocations),
    counter('frees', 'Allocations freed.', memory.frees),
    counter('allocation_failures', 'Allocations that found no memory.', memory.failures),
  ];
}

function operationFamilies(stats: PoolStats): Family[] {
  const names = Object.keys(operations) as OperationName[];
  return names.map((key) => {
    const { name, help } = operations[key];
    return counter(name, help, stats.operations[key]);
  });
}

function httpFamilies({ connections, running, inFlightBytes, responses }: TrafficStats): Family[] {
  const samples = Object.entries(responses).map(([status, value]) => ({
    labels: { status },
    value,
  }));
  return [
    gauge('http_connections', 'Open connections.', connections),
    gauge('http_running_requests', 'Requests being answered.', running),
    gauge('http_in_flight_bytes', 'Bytes of bodies being received.', inFlightBytes),
    labelled('counter', 'http_responses_total', 'Responses, by status.', samples),
  ];
}
