/** What must hold of memory that was given back to the system. */

import assert from 'node:assert/strict';
import { absenceOf, lengthOf, stateFree, stateOf } from '../../../src/alloc/layout.ts';
import { viewSegment } from '../../../src/alloc/segment-view.ts';
import type { SmallRegion } from './regions.ts';

/**
 * Memory is absent in free runs that say so, and nowhere else. @returns how many pages
 */
export function verifyAbsence(region: SmallRegion): number {
  let absent = 0;
  for (const segment of region.segments) {
    const view = viewSegment(segment, region.slabShift);
    const check = (page: number, pages: number, may: boolean): void => {
      for (let each = page; each < page + pages; each++) {
        if (!region.isAbsent(segment.number, each)) continue;
        assert(may, `page ${each} of segment ${segment.number} is in use and absent`);
        absent++;
      }
    };
    check(0, view.layout.dataPage, false);
    view.table.walk((page, head) => {
      const may = stateOf(head) === stateFree && absenceOf(head) !== 0;
      check(page, lengthOf(head), may);
    });
  }
  return absent;
}
