/**
 * Memory near to who grows it. On a machine of one node, or without koffi, nothing happens.
 *
 * A segment is *preferred* to be on a node, not bound to it: when the node is full, its pages come from another. In a file that is not in
 * memory (tmpfs) the page cache decides by who touches a page first, and the kernel ignores what is asked here.
 */

import { readFileSync } from 'node:fs';
import { addressOf } from './mapping.ts';
import { memoryNodeFor, readTopology } from './numa-topology.ts';
import type { Topology } from './numa-topology.ts';
import { optionalCalls } from './optional-os.ts';
import type { OsCalls } from './os.ts';
import { pageBytes } from './region.ts';
import type { Segment } from './region.ts';

let ours: Topology | undefined;

/** The nodes of this machine. */
export function thisTopology(): Topology {
  ours ??= readTopology({ read: (path) => readFileSync(path, 'latin1') });
  return ours;
}

/**
 * Asks for the pages of a segment to come from `node`; those that are elsewhere already, and that nobody else has mapped, are moved.
 * @returns false where that cannot be: no koffi, no such node, or a container that forbids it
 */
export function bind(
  segment: Segment,
  node: number,
  os: OsCalls | undefined = optionalCalls(),
): boolean {
  if (os === undefined) return false;
  const address = addressOf(segment, os);
  const from = Math.ceil(address / pageBytes) * pageBytes;
  const to = Math.floor((address + segment.sizeBytes) / pageBytes) * pageBytes;
  return os.preferNode(from, to - from, node);
}

/** Puts a new segment near to this thread. @returns the node, where there is a choice and the kernel took it */
export function placeSegment(
  segment: Segment,
  os: OsCalls | undefined = optionalCalls(),
  topology: Topology = thisTopology(),
): number | undefined {
  if (os === undefined || topology.length < 2) return undefined;
  const here = os.currentNode();
  const node = here === undefined ? undefined : memoryNodeFor(topology, here);
  return node !== undefined && bind(segment, node, os) ? node : undefined;
}
