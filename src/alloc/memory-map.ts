/** The memory map: all segments side by side, cut into cells of equal size. */

import { show } from '../base/show.ts';
import { fail } from '../errors.ts';
import type { MapCell } from './api.ts';
import { classBytes, classCount } from './classes.ts';
import { kinds } from './kind.ts';
import { headLive, kindOfHead, lengthOf, stateFree, stateOf, stateSlab } from './layout.ts';
import type { SegmentView } from './segment-view.ts';
import { countLive, slabHeaderAt } from './walk.ts';

export const mapCellsMax = 65_536;

/** Columns of a cell's account: kinds, metadata, live bytes. */
const metadataColumn: number = kinds.length;
const liveColumn: number = kinds.length + 1;
const columns: number = kinds.length + 2;

/** @throws invalid_argument unless `cells` is an integer from 1 to mapCellsMax */
export function mapMemory(
  views: readonly SegmentView[],
  slabShift: number,
  cells: number,
): MapCell[] {
  if (!Number.isInteger(cells) || cells < 1 || cells > mapCellsMax) {
    fail('invalid_argument', `a memory map has 1…${mapCellsMax} cells, not ${show(cells)}`);
  }
  const totalPages = views.reduce((sum, view) => sum + view.layout.pages, 0);
  const pagesPerCell = totalPages / cells;
  const account = new Float64Array(cells * columns);

  const spread = (from: number, pages: number, column: number, fill: number): void => {
    let page = from;
    const end = from + pages;
    for (
      let cell = Math.min(cells - 1, Math.floor(from / pagesPerCell));
      page < end && cell < cells;
      cell++
    ) {
      const stop = cell === cells - 1 ? end : Math.min(end, (cell + 1) * pagesPerCell);
      if (stop <= page) continue;
      const share = stop - page;
      account[cell * columns + column] = (account[cell * columns + column] as number) + share;
      account[cell * columns + liveColumn] =
        (account[cell * columns + liveColumn] as number) + share * fill;
      page = stop;
    }
  };

  let before = 0;
  for (const view of views) {
    const base = before;
    spread(base, view.layout.dataPage, metadataColumn, 1);
    view.table.walk(
      (page, head) => {
        const state = stateOf(head);
        if (state === stateFree) return;
        const fill =
          state === stateSlab ? slabFill(view, page, slabShift) : Number((head & headLive) !== 0);
        spread(base + page, lengthOf(head), kindOfHead(head), fill);
      },
      () => undefined, // a live pool is being changed while we look
    );
    before += view.layout.pages;
  }
  return Array.from({ length: cells }, (_, cell) =>
    cellFrom(account, cell * columns, pagesPerCell),
  );
}

function slabFill(view: SegmentView, page: number, slabShift: number): number {
  const sizeBytes = classBytes(slabHeaderAt(view, page, slabShift) % classCount);
  return (countLive(view, page, slabShift) * sizeBytes) / 2 ** slabShift;
}

function cellFrom(account: Float64Array, at: number, pagesPerCell: number): MapCell {
  let kind = -1;
  let most = 0;
  for (let column = 0; column < liveColumn; column++) {
    const pages = account[at + column] as number;
    if (pages > most) {
      most = pages;
      kind = column === metadataColumn ? -2 : column;
    }
  }
  return { kind, fill: Math.min(1, (account[at + liveColumn] as number) / pagesPerCell) };
}
