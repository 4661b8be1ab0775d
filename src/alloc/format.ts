/** Prepares a new segment: one free run, and an index that has it. */

import { pageShift, type Segment } from '../memory/region.ts';
import { FreeRuns } from './free-runs.ts';
import { formatTable } from './pages.ts';
import { viewSegment } from './segment-view.ts';

/**
 * The segment is all zero, or was formatted before (its growth was not committed, or it was
 * dropped).
 */
export function formatSegment(segment: Segment, slabShift: number): void {
  const view = viewSegment(segment, slabShift);
  formatTable(segment, view.layout);
  new FreeRuns(view, 1 << (slabShift - pageShift)).rebuild();
}
