/** Memory over a run of a house workload from the start: what is live, what it takes, what is held. */

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../src/errors.ts';
import type { Memory, Sample } from '../harness/row.ts';
import type { Context } from '../harness/suite.ts';
import { freshly, jsMembers, type Member } from './cast.ts';
import { type HeapName, type HeapOptions, heapNames } from './heaps/heap.ts';
import type { MemoryRun, Play } from './player.ts';
import { oursName } from './names.ts';
import type { Played } from './turns.ts';
import { median } from '../harness/stats.ts';

const operationsDefault = 5_000_000;
const operationsQuick = 200_000;
const sampleCount = 50;
const shortNames: readonly string[] = heapNames.filter((name) => name !== oursName);

/** Bounds of a run, by pace: who would take longer runs less. */
const runMsMax = 4000;
const runMsMaxQuick = 300;
const longRunMsMax = 600_000;

/**
 * How far a member runs: as far as its speed allows. Runs of a length that was asked for are for ours and the native peers; the garbage collector's
 * and linked lists' show all they have in a short one.
 * @returns a multiple of `sampleCount`
 */
export function memoryOperations(one: Played, context: Context): number {
  const wanted = context.operations ?? (context.quick ? operationsQuick : operationsDefault);
  const isLong = context.operations !== undefined && !shortNames.includes(one.name);
  const shortMs = context.quick ? runMsMaxQuick : runMsMax;
  const fitting = ((isLong ? longRunMsMax : shortMs) * 1e6) / median(one.roundsNs);
  return Math.max(1, Math.floor(Math.min(wanted, fitting) / sampleCount)) * sampleCount;
}

/** Ours runs over a mapped pool here, whose resident pages the kernel tells. */
export async function measureMemory(
  member: Member,
  one: Played,
  play: Play,
  heapFor: (name: HeapName) => HeapOptions,
  context: Context,
): Promise<MemoryRun> {
  const operations = memoryOperations(one, context);
  const alone = { ...play, workers: 1 };
  const run = (who: Member): Promise<MemoryRun> =>
    freshly(who, alone, (player) => player.memory(operations, operations / sampleCount));
  if (member.name !== oursName || !existsSync('/proc/self/smaps')) return run(member);
  const folder = mkdtempSync(join(context.folder, 'memory-'));
  try {
    const [mapped] = jsMembers([oursName], (name) => ({ ...heapFor(name), folder }));
    return await run(mapped as Member);
  } catch (error) {
    if (hasCode(error, 'koffi_missing')) return await run(member);
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Ratios are means over the second half of a run, when the table has long been half full. */
export function memoryOf({ samples, compacted }: MemoryRun): Memory | undefined {
  const late = samples.slice(Math.floor(samples.length / 2)).filter((it) => it.usableBytes > 0);
  if (late.length === 0) return undefined;
  const peak = (of: (sample: Sample) => number): number => Math.max(...samples.map(of));
  return {
    usableRatio: mean(late.map((it) => it.usableBytes / it.requestedBytes)),
    reservedRatio: mean(late.map((it) => it.reservedBytes / it.usableBytes)),
    ...(compacted === undefined
      ? {}
      : { compactedRatio: compacted.reservedBytes / compacted.usableBytes }),
    peakBytes: peak((it) => it.requestedBytes),
    peakReservedBytes: peak((it) => it.reservedBytes),
  };
}
