/** A segment as the allocator sees it: its layout and a word view for each part. */

import type { Segment } from '../memory/region.ts';
import type { Words } from '../memory/words.ts';
import { type SegmentLayout, segmentLayout } from './layout.ts';
import { PageTable } from './pages.ts';

export interface SegmentView {
  readonly segment: Segment;
  readonly layout: SegmentLayout;
  readonly table: PageTable;
  readonly headers: Words;
  /** Live and kept bits of 16 granules in each word. */
  readonly liveKept: Words;
  /** Free and remote words in turn. */
  readonly freeRemote: Words;
}

export function viewSegment(segment: Segment, slabShift: number): SegmentView {
  const layout = segmentLayout(segment.sizeBytes, slabShift);
  const { words } = segment;
  const planeWords = layout.freeRemoteWord - layout.liveKeptWord;
  return {
    segment,
    layout,
    table: new PageTable(words, layout),
    headers: words.subarray(layout.slabHeadersWord, layout.liveKeptWord),
    liveKept: words.subarray(layout.liveKeptWord, layout.freeRemoteWord),
    freeRemote: words.subarray(layout.freeRemoteWord, layout.freeRemoteWord + planeWords),
  };
}
