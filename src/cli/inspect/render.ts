/** The picture that `cenote inspect` draws, as lines of text. Pure: same view and size, same lines. */

import type { MapCell } from '../../alloc/api.ts';
import { mapCellsMax } from '../../alloc/memory-map.ts';
import type { OperationName, PoolStats } from '../../pool/api.ts';
import { fit, visibleWidth, type Palette } from '../ansi.ts';
import { mapLines, mapTitle } from './map.ts';
import {
  header,
  hitLine,
  kindTable,
  operationLine,
  operationTable,
  sideBySide,
  tierTable,
} from './panels.ts';

export interface InspectView {
  readonly path: string;
  readonly stats: PoolStats;
  /** Cells of the memory map, in equal shares of all segments; at most mapCellsMax of them. */
  readonly map: (cells: number) => readonly MapCell[];
  /** Operations per second since the view before; undefined at the first. */
  readonly rates: Readonly<Record<OperationName, number>> | undefined;
  /** Gets, puts and appends per second of the views before, oldest first. */
  readonly history: readonly number[];
  /** Said at the right of the first line: `every 1 s · q quits`. */
  readonly status: string;
}

/** Below this width lines are cut. */
const minimumWidth = 40;
/** From this width on tables and operations stand side by side. */
const wideWidth = 112;
/** Rows of the memory map when the height is not bounded. */
const unboundedMapRows = 8;
/** The picture leaves out figures rather than draw a map of fewer rows. */
const wantedMapRows = 4;

/** At most `height` lines of at most `width` columns; the memory map takes the height that the figures leave. */
export function render(
  view: InspectView,
  width: number,
  height: number | undefined,
  paint: Palette,
): string[] {
  const columns = Math.max(minimumWidth, width) - 2;
  const figures = chooseFigures(view, columns, height, paint);
  const rows = height === undefined ? unboundedMapRows : Math.max(1, height - figures.length - 1);
  const cells = view.map(columns * Math.min(rows, Math.floor(mapCellsMax / columns)));
  const title = mapTitle(view.stats.memory.reservedBytes / Math.max(1, cells.length), paint);
  const lines = [...figures, title, ...mapLines(cells, columns, paint)];
  return lines.slice(0, height).map((line) => (line === '' ? '' : fit(` ${line}`, width)));
}

/** The most detailed figures that leave the map its rows. */
function chooseFigures(
  view: InspectView,
  width: number,
  height: number | undefined,
  paint: Palette,
): string[] {
  const room = height === undefined ? Infinity : height - wantedMapRows - 1;
  const choices = [allFigures, withoutOperations, kindsOnly];
  const drawn = choices.map((choice) => choice(view, width, paint));
  const fitting = drawn.find((lines) => lines.length <= room);
  return fitting ?? header(view, width, paint).slice(2, 3);
}

function allFigures(view: InspectView, width: number, paint: Palette): string[] {
  const memory = [
    ...kindTable(view.stats, width, paint),
    '',
    ...tierTable(view.stats, width, paint),
  ];
  const isWide = width >= wideWidth - 2;
  const leftWidth = Math.max(...memory.map(visibleWidth)) + 6;
  const operationsWidth = isWide ? width - leftWidth : width;
  const operations = [
    ...operationTable(view, operationsWidth, paint),
    hitLine(view, operationsWidth, paint),
  ];
  const panels = isWide
    ? sideBySide(memory, operations, leftWidth)
    : [...memory, '', ...operations];
  return [...header(view, width, paint), '', ...panels, ''];
}

function withoutOperations(view: InspectView, width: number, paint: Palette): string[] {
  const tables = [
    ...kindTable(view.stats, width, paint),
    '',
    ...tierTable(view.stats, width, paint),
  ];
  return [
    ...header(view, width, paint),
    '',
    ...tables,
    '',
    ...operationSummary(view, width, paint),
    '',
  ];
}

function kindsOnly(view: InspectView, width: number, paint: Palette): string[] {
  const tables = kindTable(view.stats, width, paint);
  return [
    ...header(view, width, paint),
    '',
    ...tables,
    '',
    ...operationSummary(view, width, paint),
    '',
  ];
}

function operationSummary(view: InspectView, width: number, paint: Palette): string[] {
  return [operationLine(view, paint), hitLine(view, width, paint)];
}
