/** The verdict on a request that found no memory: limit or fragmentation, who holds it, what would help. */

import { bitCount } from '../base/bits.ts';
import { nextSegmentBytes } from '../memory/geometry.ts';
import { ownersMaxLimit } from '../memory/layout.ts';
import { granuleBytes, pageBytes, pageShift, type Region } from '../memory/region.ts';
import type { Holder, Tier, Verdict } from './api.ts';
import {
  classBytes,
  classBytesMax,
  classCount,
  classOfGranules,
  classTable,
  pagesFor,
  stackCount,
} from './classes.ts';
import { alignUp } from './free-runs.ts';
import { type Kind, kinds } from './kind.ts';
import {
  headKept,
  headLive,
  kindOfStackShift,
  lengthOf,
  nobody,
  ownerMask,
  runPagesLimit,
  slabOwnerShift,
  stackMask,
  stateFree,
  stateOf,
  stateSlab,
} from './layout.ts';
import type { SegmentView } from './segment-view.ts';
import { survey, type Totals } from './stats.ts';
import { keptBits, liveBits, slabHeaderAt, slabWordsOf, windowOfPage } from './walk.ts';

/** Holders that are listed. */
const holdersMax = 5;

/** What a verdict is made from. */
export interface Circumstances {
  readonly region: Region;
  readonly views: readonly SegmentView[];
  /** Slot of who asks. */
  readonly owner: number;
  /** Infinity where there is no limit. */
  readonly limitPages: number;
  readonly usedPages: number;
  /** Whether the system had no memory for the last request. */
  readonly isSystemFull: boolean;
}

/** Places and spare memory, in pages. */
interface Findings {
  longest: number;
  hasWindow: boolean;
  /** A block that is not live, of the stack in question, in a slab of who asks or of nobody. */
  hasBlock: boolean;
  readonly spare: { own: number; others: number; dead: number };
}

export function explainRequest(at: Circumstances, kind: Kind, sizeBytes: number): Verdict {
  const { region, views, limitPages, usedPages } = at;
  const { slabShift, segmentShift, superblock } = region;
  const totals = survey(views, slabShift, () => undefined);
  const slabPages = 1 << (slabShift - pageShift);
  const isSmall = sizeBytes <= classBytesMax;
  const sizeClass = classOfGranules[Math.ceil(Math.min(sizeBytes, classBytesMax) / granuleBytes)];
  const findings = lookAround(at, (kind << kindOfStackShift) | (sizeClass as number));
  const pages = isSmall ? slabPages : pagesFor(sizeBytes);
  const reservedBytes = views.reduce((sum, { segment }) => sum + segment.sizeBytes, 0);
  const growthBytes = nextSegmentBytes(
    superblock.capacityBytes,
    reservedBytes,
    segmentShift,
    slabShift,
  );
  const fits = isSmall ? findings.hasWindow : findings.longest >= pages;
  const isServed = isSmall && findings.hasBlock;
  const reasonOf = (): Verdict['reason'] => {
    if (isServed) return 'none';
    if (usedPages + pages > limitPages) return 'limit';
    if (at.isSystemFull && (fits || growthBytes > 0)) return 'memory';
    if (fits || growthBytes > 0) return 'none';
    return totals.freePages >= pages ? 'fragmentation' : 'memory';
  };
  return {
    reason: reasonOf(),
    neededBytes: pages * pageBytes,
    freeBytes: totals.freePages * pageBytes,
    usedBytes: usedPages * pageBytes,
    limitBytes: limitPages * pageBytes,
    growthBytes,
    largestFreeRunBytes: {
      l1: findings.hasWindow ? slabPages * pageBytes : 0,
      l2: Math.min(findings.longest, runPagesLimit) * pageBytes,
      l3: findings.longest > runPagesLimit ? findings.longest * pageBytes : 0,
    },
    topHolders: holdersOf(totals, 2 ** slabShift).slice(0, holdersMax),
    wouldFree: {
      ownFlush: findings.spare.own * pageBytes,
      othersFlush: findings.spare.others * pageBytes,
      recovery: findings.spare.dead * pageBytes,
      compaction: (totals.freePages - findings.longest) * pageBytes,
    },
  };
}

/** Who holds most. */
function holdersOf(totals: Totals, slabBytes: number): Holder[] {
  const holders: { kind: Kind; tier: Tier; usedBytes: number; liveBytes: number }[] = [];
  for (const kind of kinds.keys()) {
    const slabs = { kind, tier: 'l1' as const, usedBytes: 0, liveBytes: 0 };
    for (let stack = 0; stack < stackCount; stack++) {
      if (stack >> kindOfStackShift !== kind) continue;
      slabs.usedBytes += (totals.slabs[stack] as number) * slabBytes;
      slabs.liveBytes += (totals.liveBlocks[stack] as number) * classBytes(stack % classCount);
    }
    holders.push(slabs);
    for (const [index, tier] of (['l2', 'l3'] as const).entries()) {
      const cell = index * kinds.length + kind;
      const liveBytes = (totals.runPages[cell] as number) * pageBytes;
      const idleBytes = (totals.idlePages[cell] as number) * pageBytes;
      holders.push({ kind, tier, usedBytes: liveBytes + idleBytes, liveBytes });
    }
  }
  return holders
    .filter(({ usedBytes }) => usedBytes > 0)
    .toSorted((one, other) => other.usedBytes - one.usedBytes);
}

/** Walks all runs: the longest free one, a place for a slab, and what nobody uses. */
function lookAround(at: Circumstances, stack: number): Findings {
  const { region, views, owner } = at;
  const { slabShift } = region;
  const slabPages = 1 << (slabShift - pageShift);
  const findings: Findings = {
    longest: 0,
    hasWindow: false,
    hasBlock: false,
    spare: { own: 0, others: 0, dead: 0 },
  };
  const alive = Array.from(
    { length: Math.min(region.superblock.ownersMax, ownersMaxLimit) },
    (_, slot) => region.ownerLives(slot),
  );
  const add = (label: number, pages: number, isUsed: boolean, isKept: boolean): void => {
    const isDead = alive[label] !== true;
    if (isDead && !isKept) findings.spare.dead += pages;
    else if (!isDead && !isUsed) findings.spare[label === owner ? 'own' : 'others'] += pages;
  };
  for (const view of views) {
    view.table.walk(
      (page, head) => {
        const pages = lengthOf(head);
        if (stateOf(head) === stateFree) {
          findings.longest = Math.max(findings.longest, pages);
          if (alignUp(page, slabPages) + slabPages <= page + pages) findings.hasWindow = true;
        } else if (stateOf(head) === stateSlab) {
          const header = slabHeaderAt(view, page, slabShift);
          const [live, kept] = lifeOf(view, page, slabShift);
          const label = (header >> slabOwnerShift) & ownerMask;
          add(label, pages, live > 0, kept);
          const isOurs = label === owner || label === nobody;
          if (isOurs && (header & stackMask) === stack && live < blocksIn(stack, slabShift))
            findings.hasBlock = true;
        } else {
          const isLive = (head & headLive) !== 0;
          add(view.table.owner(page), pages, isLive, (head & headKept) !== 0);
        }
      },
      () => undefined,
    );
  }
  return findings;
}

function blocksIn(stack: number, slabShift: number): number {
  return classTable(slabShift).blocks[stack % classCount] as number;
}

/** How many live blocks a slab has, and whether any is kept. */
function lifeOf(view: SegmentView, page: number, slabShift: number): [live: number, kept: boolean] {
  const slabWords = slabWordsOf(slabShift);
  const first = windowOfPage(page, slabShift) * slabWords;
  let live = 0;
  let kept = 0;
  for (let word = first; word < first + slabWords; word++) {
    live += bitCount(liveBits(view, word));
    kept |= liveBits(view, word) & keptBits(view, word);
  }
  return [live, kept !== 0];
}
