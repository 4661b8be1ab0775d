/**
 * Mapped memory as segments, and how it goes away.
 *
 * A view can outlive its region: a lease that someone kept. Releasing a segment therefore does not unmap it: it lays anonymous zero pages over
 * the same addresses. The view reads zeros, writes to it reach nobody, nothing faults. The addresses are unmapped when the collector has found
 * that no view is left, so that one address never backs two ArrayBuffers. Until then a released segment costs address space and one kernel
 * mapping, no memory. (Node 22 and 24 refuse to transfer such a buffer by themselves and Node 20 copies it. Marking it untransferable aborts
 * Node 24 at exit.) A worker thread leaves its mappings when it ends: `thread-mappings.ts`.
 */

import type { OsCalls } from './os.ts';
import { segmentOver } from './region.ts';
import type { Segment } from './region.ts';
import { forgetMapping, noteMapping } from './thread-mappings.ts';

interface Mapping {
  readonly os: OsCalls;
  readonly address: number;
  readonly sizeBytes: number;
}

const mappings = new WeakMap<ArrayBufferLike, Mapping>();

function unmap({ os, address, sizeBytes }: Mapping): void {
  forgetMapping(address);
  os.unmap(address, sizeBytes);
}

const collected = new FinalizationRegistry<Mapping>(unmap);

/** Maps the first `sizeBytes` of an open file; the descriptor may be closed afterwards. @throws the errors of mmap */
export function mapSegment(
  os: OsCalls,
  fd: number,
  number: number,
  sizeBytes: number,
  access: 'shared' | 'private',
): Segment {
  const address = os.map(fd, sizeBytes, access);
  noteMapping(address, sizeBytes);
  const mapping: Mapping = { os, address, sizeBytes };
  let buffer: ArrayBuffer;
  try {
    buffer = os.view(address, sizeBytes);
  } catch (error) {
    unmap(mapping);
    throw error;
  }
  mappings.set(buffer, mapping);
  collected.register(buffer, mapping, mapping);
  return segmentOver(buffer, number, sizeBytes);
}

/** Lets a segment go: every view of it reads zeros from now on. */
export function releaseSegment(segment: Segment): void {
  const mapping = mappings.get(segment.buffer);
  if (mapping === undefined) return;
  mappings.delete(segment.buffer);
  // Someone has moved the memory to another ArrayBuffer with transfer(): nobody knows when that one goes.
  if (segment.bytes.byteLength === 0) collected.unregister(mapping);
  mapping.os.mapZeros(mapping.address, mapping.sizeBytes);
}

/** Where the bytes of a segment are. That of a buffer does not begin at a page. */
export function addressOf({ buffer, bytes }: Segment, os: OsCalls): number {
  return mappings.get(buffer)?.address ?? os.addressOf(bytes);
}
