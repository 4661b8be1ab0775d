/** The memory map and the capacity bar: kinds as colours (or letters), fill as shades. Pure. */

import { kinds } from '../../alloc/kind.ts';
import type { MapCell } from '../../alloc/api.ts';
import type { PoolStats } from '../../pool/api.ts';
import type { Palette } from '../ansi.ts';
import { formatBytes } from '../format.ts';

/** Quarters of fill, from nearly nothing to full. */
const shades = '░▒▓█';
const freeCharacter = '·';
const ownCharacter = '▚';
const freeCell = -1;

/** Without colours a kind is a letter, large when its cell is at least half full. */
const letters = ['m', 't', 'e', 'a', 'b'] as const;

function cellCharacter(cell: MapCell, colours: boolean): string {
  if (cell.kind === freeCell) return freeCharacter;
  if (cell.kind < freeCell) return ownCharacter;
  if (colours) return shades[Math.min(3, Math.floor(cell.fill * 4))] as string;
  const letter = letters[cell.kind] ?? '?';
  return cell.fill >= 0.5 ? letter.toUpperCase() : letter;
}

function paintCell(kind: number, text: string, paint: Palette): string {
  return kind < 0 ? paint.dim(text) : (paint.kinds[kind]?.(text) ?? text);
}

/** Rows of `width` cells. Neighbours of one kind share one colour sequence, which keeps a large map small on the wire. */
export function mapLines(cells: readonly MapCell[], width: number, paint: Palette): string[] {
  const lines: string[] = [];
  for (let start = 0; start < cells.length; start += width) {
    let line = '';
    let run = '';
    let runKind: number | undefined;
    for (const cell of cells.slice(start, start + width)) {
      if (cell.kind !== runKind) {
        line += runKind === undefined ? '' : paintCell(runKind, run, paint);
        run = '';
        runKind = cell.kind;
      }
      run += cellCharacter(cell, paint.colours);
    }
    lines.push(line + (runKind === undefined ? '' : paintCell(runKind, run, paint)));
  }
  return lines;
}

/** What stands for a kind in the map, shown beside its name: a coloured square, or its letter. */
export function kindMark(kind: number, paint: Palette): string {
  return paint.colours ? paintCell(kind, '■', paint) : (letters[kind] as string).toUpperCase();
}

/** The line above the map: what a cell is, and what the characters mean. */
export function mapTitle(cellBytes: number, paint: Palette): string {
  const fill = paint.colours ? `${shades} fill` : 'small: under half full';
  const legend = `one cell is ${formatBytes(cellBytes)}   ${fill}   ${ownCharacter} allocator   ${freeCharacter} free`;
  return `${paint.bold('memory map')}  ${paint.dim(legend)}`;
}

/** Capacity as a bar: what each kind holds, the rest of the committed segments, and what may still be committed. */
export function stackedBar(stats: PoolStats, width: number, paint: Palette): string {
  const { memory, capacityBytes } = stats;
  const column = (bytes: number): number =>
    Math.min(width, Math.round((bytes / Math.max(1, capacityBytes)) * width));
  let out = '';
  let bytes = 0;
  let drawn = 0;
  kinds.forEach((_, kind) => {
    const usedBytes = memory.kinds[kind]?.usedBytes ?? 0;
    bytes += usedBytes;
    // A kind that holds anything shows, however little it is.
    const end = Math.min(width, Math.max(column(bytes), drawn + (usedBytes > 0 ? 1 : 0)));
    const character = paint.colours ? '█' : (letters[kind] as string).toUpperCase();
    out += paintCell(kind, character.repeat(end - drawn), paint);
    drawn = end;
  });
  const committed = Math.max(drawn, column(memory.reservedBytes));
  return out + paint.dim('░'.repeat(committed - drawn) + freeCharacter.repeat(width - committed));
}
