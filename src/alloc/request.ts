/** What may be asked of an allocator. */

import { fail } from '../errors.ts';
import { nextSegmentBytes } from '../memory/geometry.ts';
import { pageBytes, type Region } from '../memory/region.ts';
import { type Kind, kinds } from './kind.ts';
import { type SegmentLayout, segmentLayout } from './layout.ts';
import type { SegmentView } from './segment-view.ts';

/** Data bytes of the largest segment that there is or that growth would add. */
export function largestAllocation(region: Region, views: readonly SegmentView[]): number {
  const { segmentShift, slabShift, superblock } = region;
  let usedBytes = 0;
  let largest = 0;
  for (const { segment, layout } of views) {
    usedBytes += segment.sizeBytes;
    largest = Math.max(largest, dataBytes(layout));
  }
  const nextBytes = nextSegmentBytes(superblock.capacityBytes, usedBytes, segmentShift, slabShift);
  return nextBytes === 0
    ? largest
    : Math.max(largest, dataBytes(segmentLayout(nextBytes, slabShift)));
}

function dataBytes(layout: SegmentLayout): number {
  return (layout.pages - layout.dataPage) * pageBytes;
}

/** @throws invalid_argument, value_too_large unless an allocator could ever serve this */
export function checkRequest(
  kind: Kind,
  sizeBytes: number,
  region: Region,
  views: readonly SegmentView[],
): void {
  if (!Number.isInteger(kind) || kind < 0 || kind >= kinds.length) {
    fail('invalid_argument', `${kind} is not a kind`);
  }
  if (!Number.isInteger(sizeBytes) || sizeBytes < 1) {
    fail('invalid_argument', `cannot allocate ${sizeBytes} bytes`);
  }
  if (sizeBytes <= dataBytes((views[0] as SegmentView).layout)) return;
  const largest = largestAllocation(region, views);
  if (sizeBytes <= largest) return;
  fail('value_too_large', `cannot allocate ${sizeBytes} bytes: a segment holds ${largest}`);
}
