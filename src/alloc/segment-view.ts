/** A segment as the allocator sees it: its layout and a word view for each part. */

import type { Region, Segment } from '../memory/region.ts';
import type { Words } from '../memory/words.ts';
import { type SegmentLayout, segmentLayout } from './layout.ts';
import { PageTable } from './pages.ts';

export interface SegmentView {
  readonly segment: Segment;
  readonly layout: SegmentLayout;
  readonly table: PageTable;
  readonly headers: Words;
  /** Live, kept, free and remote bits of 32 granules in turn. */
  readonly bits: Words;
  /** All words of the segment. */
  readonly words: Words;
}

export function viewSegment(segment: Segment, slabShift: number): SegmentView {
  const layout = segmentLayout(segment.sizeBytes, slabShift);
  const { words } = segment;
  return {
    segment,
    layout,
    table: new PageTable(words, layout),
    headers: words.subarray(layout.slabHeadersWord, layout.bitsWord),
    bits: words.subarray(layout.bitsWord, layout.linksWord),
    words,
  };
}

/**
 * Makes `views` those of the region's segments.
 * @returns how many of the first ones stayed as they were
 */
export function followSegments(region: Region, views: SegmentView[]): number {
  const { segments, slabShift } = region;
  // Segments come and go at the end: when the last is the same, all are.
  const last = views.length - 1;
  if (last + 1 === segments.length && views[last]?.segment === segments[last]) return last + 1;
  const changed = views.findIndex(({ segment }, number) => segments[number] !== segment);
  if (changed >= 0) views.length = changed;
  const same = views.length;
  for (const segment of segments.slice(same)) views.push(viewSegment(segment, slabShift));
  return same;
}
