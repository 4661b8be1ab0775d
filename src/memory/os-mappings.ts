/** Mapped memory: mmap and madvise. */

import { systemError } from './koffi.ts';
import type { Koffi, Libc } from './koffi.ts';
import type { OsCalls } from './os.ts';
import { pageBytes } from './region.ts';

/** Of x64, and of arm64 with pages of 4 KiB. */
export const hugePageBytes: number = 2 ** 21;

// Values of Linux, the same on x64 and arm64.
const protNone = 0;
const protRead = 1;
const protWrite = 2;
const mapShared = 0x01;
const mapPrivate = 0x02;
const mapFixed = 0x10;
const mapAnonymous = 0x20;
const mapNoReserve = 0x4000;
const mapFailed = 0xff_ff_ff_ff_ff_ff_ff_ffn;
const adviceDontNeed = 4;
const adviceHugePage = 14;
const adviceCollapse = 25;
const errnoInvalid = 22;

type MappingCalls = Pick<
  OsCalls,
  | 'map'
  | 'mapZeros'
  | 'unmap'
  | 'view'
  | 'alias'
  | 'addressOf'
  | 'forget'
  | 'residentPages'
  | 'collapse'
  | 'preferHuge'
>;

export function bindMappings(koffi: Koffi, libc: Libc): MappingCalls {
  const mmap = libc.func('void *mmap(void *, size_t, int, int, int, int64_t)');
  const munmap = libc.func('int munmap(void *, size_t)');
  const madvise = libc.func('int madvise(void *, size_t, int)');
  const mincore = libc.func('int mincore(void *, size_t, void *)');
  const readWrite = protRead | protWrite;

  function mapAt(
    address: bigint | null,
    sizeBytes: number,
    flags: number,
    fd: number,
    protection: number,
  ): number {
    const mapped = mmap(address, sizeBytes, protection, flags, fd, 0) as bigint;
    if (mapped === mapFailed) throw systemError('mmap', koffi.errno());
    return Number(mapped);
  }

  /**
   * Maps a file at a multiple of `hugePageBytes`: only there can huge pages of it be seen as such. Address space for one more is taken first,
   * so that the kernel puts nothing else there meanwhile.
   */
  function mapAligned(fd: number, sizeBytes: number, flags: number): number {
    const anywhere = mapPrivate | mapAnonymous | mapNoReserve;
    const reservedBytes = sizeBytes + hugePageBytes;
    const reserved = mapAt(null, reservedBytes, anywhere, -1, protNone);
    const address = Math.ceil(reserved / hugePageBytes) * hugePageBytes;
    try {
      mapAt(BigInt(address), sizeBytes, flags | mapFixed, fd, readWrite);
    } catch (error) {
      unmap(reserved, reservedBytes);
      throw error;
    }
    const mappedEnd = address + Math.ceil(sizeBytes / pageBytes) * pageBytes;
    if (address > reserved) unmap(reserved, address - reserved);
    unmap(mappedEnd, reserved + reservedBytes - mappedEnd);
    return address;
  }

  function unmap(address: number, sizeBytes: number): void {
    if (munmap(BigInt(address), sizeBytes) !== 0) throw systemError('munmap', koffi.errno());
  }

  /** @returns false where the kernel knows no such advice, or not for this memory */
  function advise(address: number, sizeBytes: number, advice: number): boolean {
    if (madvise(BigInt(address), sizeBytes, advice) === 0) return true;
    const errno = koffi.errno();
    if (errno === errnoInvalid) return false;
    throw systemError('madvise', errno);
  }

  return {
    map(fd, sizeBytes, access) {
      const flags = access === 'shared' ? mapShared : mapPrivate | mapNoReserve;
      if (sizeBytes >= hugePageBytes) return mapAligned(fd, sizeBytes, flags);
      return mapAt(null, sizeBytes, flags, fd, readWrite);
    },
    mapZeros(address, sizeBytes) {
      const flags = mapPrivate | mapAnonymous | mapFixed | mapNoReserve;
      try {
        mapAt(BigInt(address), sizeBytes, flags, -1, readWrite);
      } catch {
        // A machine that promises no memory it does not have (overcommit 2) still gives pages that are only read.
        mapAt(BigInt(address), sizeBytes, flags, -1, protRead);
      }
    },
    unmap,
    view: (address, sizeBytes) => koffi.view(BigInt(address), sizeBytes),
    alias: (bytes) => new Uint8Array(koffi.view(koffi.address(bytes), bytes.byteLength)),
    addressOf: (bytes) => Number(koffi.address(bytes)),
    forget: (address, sizeBytes) => advise(address, sizeBytes, adviceDontNeed),
    preferHuge: (address, sizeBytes) => advise(address, sizeBytes, adviceHugePage),
    // Whatever stands in the way, such as memory in too small pieces: there are the pages that were there.
    collapse: (address, sizeBytes) => madvise(BigInt(address), sizeBytes, adviceCollapse) === 0,
    residentPages(address, sizeBytes) {
      const pages = new Uint8Array(Math.ceil(sizeBytes / pageBytes));
      if (mincore(BigInt(address), sizeBytes, pages) !== 0)
        throw systemError('mincore', koffi.errno());
      let resident = 0;
      for (const page of pages) resident += page & 1;
      return resident;
    },
  };
}
