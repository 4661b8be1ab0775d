/** Prometheus text exposition (format 0.0.4) of a pool and its HTTP server. */

import { kinds } from '../../alloc/kind.ts';
import type { Tier } from '../../alloc/api.ts';
import type { OperationName, PoolStats } from '../../pool/api.ts';
import type { TrafficStats } from './traffic.ts';

export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: readonly Sample[];
}

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
  bytesWritten: { name: 'written_bytes', help: 'Bytes written into parts.' },
  bytesRead: { name: 'read_bytes', help: 'Bytes of parts that leases showed.' },
};

export function metricsText(pool: PoolStats, traffic: TrafficStats): string {
  return [...poolFamilies(pool), ...operationFamilies(pool), ...httpFamilies(traffic)]
    .map(familyText)
    .join('');
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

function gauge(name: string, help: string, value: number): Family {
  return labelled('gauge', name, help, [{ value }]);
}

function counter(name: string, help: string, value: number): Family {
  return labelled('counter', `${name}_total`, help, [{ value }]);
}

function labelled(
  type: Family['type'],
  name: string,
  help: string,
  samples: readonly Sample[],
): Family {
  return { name: `cenote_${name}`, type, help, samples };
}

function familyText({ name, type, help, samples }: Family): string {
  const lines = samples.map(({ labels, value }) => {
    const pairs = Object.entries(labels ?? {}).map(([key, text]) => `${key}="${text}"`);
    return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}
