/** Segments in files, and owners' locks on the bytes of owners.lock. */

import { constants } from 'node:fs';
import { resolve } from 'node:path';
import type { Backing, Range } from './backing.ts';
import { coded, errnoName, removeIfThere, removeQuietly, withFile } from './files.ts';
import { releaseSegment } from './mapping.ts';
import { placeSegment } from './numa.ts';
import {
  createSegmentFile,
  fileMode,
  lockFileName,
  openSegmentFile,
  punchSegmentFile,
  refillSegmentFile,
  segmentPath,
} from './pool-files.ts';
import type { MappedSystem, OpenedSegment, SegmentAccess } from './pool-files.ts';
import type { RegionHandle, Segment } from './region.ts';
import type { Superblock } from './superblock.ts';

export function openLockFile(system: MappedSystem, folder: string): number {
  const path = resolve(folder, lockFileName);
  return coded(`cannot open ${path}`, () =>
    system.files.open(path, constants.O_RDWR | constants.O_CREAT, fileMode),
  );
}

export class MappedBacking implements Backing {
  readonly handle: RegionHandle;
  readonly #system: MappedSystem;
  readonly #folder: string;
  readonly #access: SegmentAccess;
  readonly #lockFd: number | undefined;
  /** Identity of the file that is mapped as segment n. */
  readonly #ids: string[] = [];

  constructor(
    system: MappedSystem,
    folder: string,
    access: SegmentAccess,
    lockFd: number | undefined,
  ) {
    this.handle = { type: 'mapped', path: folder };
    this.#system = system;
    this.#folder = folder;
    this.#access = access;
    this.#lockFd = lockFd;
  }

  create(number: number, sizeBytes: number): Segment {
    const what = `cannot add segment ${number} of ${sizeBytes} bytes to ${this.#folder}`;
    const segment = this.#remember(
      coded(what, () => createSegmentFile(this.#system, this.#folder, number, sizeBytes)),
    );
    placeSegment(segment, this.#system.os);
    return segment;
  }

  discard(segment: Segment): void {
    releaseSegment(segment);
    removeQuietly(this.#system.files, segmentPath(this.#folder, segment.number));
  }

  open(number: number, pool: Superblock): Segment {
    return this.#remember(
      coded(`cannot open segment ${number} of ${this.#folder}`, () =>
        openSegmentFile(this.#system, this.#folder, number, pool, this.#access),
      ),
    );
  }

  isCurrent(segment: Segment): boolean {
    const path = segmentPath(this.#folder, segment.number);
    try {
      return this.#system.files.status(path).id === this.#ids[segment.number];
    } catch {
      return false; // gone: opening it anew says why
    }
  }

  giveBack({ number }: Segment, range: Range): number {
    const path = segmentPath(this.#folder, number);
    return coded(`cannot give memory of ${path} back`, () =>
      punchSegmentFile(this.#system, path, this.#ids[number], range),
    );
  }

  takeAgain({ number }: Segment, range: Range): boolean {
    const path = segmentPath(this.#folder, number);
    return coded(`cannot reserve memory of ${path}`, () =>
      refillSegmentFile(this.#system, path, this.#ids[number], range),
    );
  }

  release(segment: Segment): void {
    coded(`cannot let segment ${segment.number} go`, () => releaseSegment(segment));
  }

  remove(number: number): void {
    const path = segmentPath(this.#folder, number);
    coded(`cannot remove ${path}`, () => removeIfThere(this.#system.files, path));
  }

  isHeld(slot: number): boolean | undefined {
    const { files, os } = this.#system;
    const lockFd = this.#lockFd;
    if (lockFd !== undefined) return coded('cannot test a lock', () => os.isLocked(lockFd, slot));
    try {
      const path = resolve(this.#folder, lockFileName);
      return withFile(files, path, constants.O_RDONLY, 0, (fd) => os.isLocked(fd, slot));
    } catch (error) {
      // A copy without a lock file has no owner. Where the file cannot be asked, what the owner slots say has to do.
      return errnoName(error) === 'ENOENT' ? false : undefined;
    }
  }

  hold(slot: number): (() => void) | undefined {
    const { files, os } = this.#system;
    // A descriptor of its own: closing it gives this lock back and no other.
    const lockFd = openLockFile(this.#system, this.#folder);
    const close = (): void => files.close(lockFd);
    let held = false;
    try {
      held = coded('cannot lock an owner slot', () => os.lock(lockFd, slot));
    } finally {
      if (!held) close();
    }
    return held ? close : undefined;
  }

  close(): void {
    if (this.#lockFd !== undefined) this.#system.files.close(this.#lockFd);
  }

  #remember(opened: OpenedSegment): Segment {
    this.#ids[opened.segment.number] = opened.id;
    return opened.segment;
  }
}
