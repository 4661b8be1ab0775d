/** The figures of `cenote inspect`: header, kinds, tiers, operations. Pure. */

import { kinds } from '../../alloc/kind.ts';
import { operationNames, type OperationName, type PoolStats } from '../../pool/api.ts';
import { padEnd, padStart, printable, visibleWidth, type Palette } from '../ansi.ts';
import {
  bar,
  formatBytes,
  formatCount,
  formatShare,
  formatShortCount,
  sparkline,
} from '../format.ts';
import { table, type Column } from '../table.ts';
import { kindMark, stackedBar } from './map.ts';
import type { InspectView } from './render.ts';

export function header(view: InspectView, width: number, paint: Palette): string[] {
  const { stats } = view;
  const { memory } = stats;
  const title = `${paint.bold('cenote')}  ${printable(view.path)}`;
  const gap = width - visibleWidth(title) - visibleWidth(view.status);
  const status = view.status === '' || gap < 2 ? '' : `${' '.repeat(gap)}${paint.dim(view.status)}`;
  const used = `${formatBytes(memory.usedBytes)} of ${formatBytes(stats.capacityBytes)}`;
  const share = padStart(formatShare(memory.usedBytes, stats.capacityBytes), 6);
  const barWidth = Math.max(8, width - used.length - share.length - 14);
  const counts = [
    `${formatCount(stats.contexts)} contexts`,
    `${formatCount(stats.parts)} parts of ${formatBytes(stats.partBytes)}`,
    `${formatCount(stats.pinnedParts)} pinned`,
    `${formatCount(stats.retiredParts)} retired`,
  ];
  const room = [
    `${formatBytes(memory.freeBytes)} free in ${plural(stats.segments, 'segment')}`,
    `longest free run ${formatBytes(memory.largestFreeRunBytes)}`,
    ...(memory.givenBackBytes > 0 ? [`${formatBytes(memory.givenBackBytes)} given back`] : []),
    stats.ownersAlive === 0 ? 'not open' : `open in ${plural(stats.ownersAlive, 'thread')}`,
  ];
  return [
    `${title}${status}`,
    '',
    `${paint.bold('capacity')}  ${stackedBar(stats, barWidth, paint)}  ${used}  ${share}`,
    `          ${paint.dim(counts.join(' · '))}`,
    `          ${paint.dim(room.join(' · '))}`,
  ];
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

const fillBarWidth = 10;
/** Both tables have one width of names, so that their columns line up. */
const nameWidth = 18;
/** The table with all columns; below it the last one is left out. */
const tableWidth = 67;

function memoryTable(
  title: string,
  rows: readonly (readonly string[])[],
  width: number,
  paint: Palette,
): string[] {
  const columns: Column[] = [
    { title, align: 'left' },
    { title: 'live', align: 'right' },
    { title: 'held', align: 'right' },
    { title: 'filled', align: 'left' },
    { title: 'blocks', align: 'right' },
  ];
  return table(width < tableWidth ? columns.slice(0, 4) : columns, rows, paint);
}

interface MemoryFigures {
  readonly usedBytes: number;
  readonly liveBytes: number;
  readonly liveBlocks: number;
}

function memoryRow(
  name: string,
  { usedBytes, liveBytes, liveBlocks }: MemoryFigures,
  paint: Palette,
): string[] {
  const share = usedBytes === 0 ? 0 : liveBytes / usedBytes;
  const drawn = bar(share, fillBarWidth, paint.colours ? ' ' : '·');
  return [
    padEnd(name, nameWidth),
    padStart(formatBytes(liveBytes), 8),
    padStart(formatBytes(usedBytes), 8),
    `${drawn} ${padStart(formatShare(liveBytes, usedBytes), 6)}`,
    padStart(formatCount(liveBlocks), 9),
  ];
}

/** What each kind holds; the mark before its name is its mark in the map and the bar. */
export function kindTable(stats: PoolStats, width: number, paint: Palette): string[] {
  const rows = kinds.map((name, kind) => {
    const figures = stats.memory.kinds[kind] ?? { liveBytes: 0, usedBytes: 0, liveBlocks: 0 };
    return memoryRow(`${kindMark(kind, paint)} ${name}`, figures, paint);
  });
  return memoryTable('kind', rows, width, paint);
}

const tierNames = {
  l1: 'L1 slabs  ≤ 4 KiB',
  l2: 'L2 runs   ≤ 1 MiB',
  l3: 'L3 extents > 1 MiB',
} as const;

export function tierTable(stats: PoolStats, width: number, paint: Palette): string[] {
  const rows = (['l1', 'l2', 'l3'] as const).map((tier) =>
    memoryRow(tierNames[tier], stats.memory.tiers[tier], paint),
  );
  return memoryTable('tier', rows, width, paint);
}

const operationLabels: Readonly<Record<OperationName, string>> = {
  gets: 'gets',
  hits: 'hits',
  misses: 'misses',
  puts: 'puts',
  appends: 'appends',
  deletes: 'deletes',
  evictions: 'evictions',
  expirations: 'expirations',
  invalidations: 'invalidations',
  poolFull: 'pool full',
  versionConflicts: 'version conflicts',
  corruptParts: 'corrupt parts',
  moves: 'moves',
  demotions: 'demotions',
  bytesWritten: 'bytes written',
  bytesRead: 'bytes read',
};

/** Counts from here on are written short: `12.3 M`. */
const longCount = 10_000_000;

function operationRow(name: OperationName, view: InspectView, paint: Palette): string[] {
  const inBytes = name === 'bytesWritten' || name === 'bytesRead';
  const total = view.stats.operations[name];
  const rate = view.rates?.[name];
  const alarming = name === 'corruptParts' || name === 'poolFull';
  const label = operationLabels[name];
  const perSecond =
    rate === undefined || rate === 0 ? '·' : inBytes ? formatBytes(rate) : formatShortCount(rate);
  const inAll = inBytes
    ? formatBytes(total)
    : total < longCount
      ? formatCount(total)
      : formatShortCount(total);
  return [
    padEnd(alarming && total > 0 ? paint.red(label) : label, 17),
    padStart(rate === undefined ? '' : perSecond, 8),
    padStart(inAll, 9),
  ];
}

const operationColumns: readonly Column[] = [
  { title: 'operation', align: 'left' },
  { title: 'per s', align: 'right' },
  { title: 'in all', align: 'right' },
];

/** All operations, in two columns where the width allows. */
export function operationTable(view: InspectView, width: number, paint: Palette): string[] {
  const rows = operationNames.map((name) => operationRow(name, view, paint));
  const half = Math.ceil(rows.length / 2);
  const left = table(operationColumns, rows.slice(0, half), paint);
  const right = table(operationColumns, rows.slice(half), paint);
  const columnWidth = Math.max(...left.map(visibleWidth)) + 2;
  if (width < columnWidth + Math.max(...right.map(visibleWidth)))
    return [...left, ...right.slice(1)];
  return sideBySide(left, right, Math.min(columnWidth + 4, Math.floor(width / 2) + 1));
}

/** The operations that matter most, on one line. */
export function operationLine(view: InspectView, paint: Palette): string {
  const names = ['gets', 'puts', 'appends', 'evictions'] as const;
  const items = names.map((name) => {
    const rate = view.rates?.[name];
    const shown =
      rate === undefined
        ? formatShortCount(view.stats.operations[name])
        : `${formatShortCount(rate)}/s`;
    return `${paint.dim(name)} ${shown}`;
  });
  return items.join('   ');
}

export function hitLine(view: InspectView, width: number, paint: Palette): string {
  const { hits, misses } = view.stats.operations;
  const ratio = `${paint.dim('hit ratio')} ${paint.bold(formatShare(hits, hits + misses))}`;
  const label = `   ${paint.dim('reads and writes per s')} `;
  const room = width - visibleWidth(ratio) - visibleWidth(label);
  if (view.history.length < 2 || room < 4) return ratio;
  return `${ratio}${label}${paint.cyan(sparkline(view.history.slice(-room)))}`;
}

export function sideBySide(
  left: readonly string[],
  right: readonly string[],
  leftWidth: number,
): string[] {
  const rows = Math.max(left.length, right.length);
  return Array.from({ length: rows }, (_, row) =>
    `${padEnd(left[row] ?? '', leftWidth)}${right[row] ?? ''}`.trimEnd(),
  );
}
