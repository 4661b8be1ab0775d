/**
 * The operating system, as far as Node does not offer it: mappings, record locks, preallocation. The only file that loads koffi.
 *
 * koffi is an optional dependency and is loaded at the first call, so that shared regions work without it.
 */

import { createRequire } from 'node:module';
import { fail } from '../errors.ts';
import { systemError } from './koffi.ts';
import type { Koffi, Libc } from './koffi.ts';
import { bindMappings } from './os-mappings.ts';

export interface OsCalls {
  /**
   * Maps a file for reading and writing. `shared` writes reach the file, `private` writes nobody else (copy on write).
   * @returns the address, below 2^47; a multiple of `hugePageBytes` where the mapping has room for a huge page
   */
  map(fd: number, sizeBytes: number, access: 'shared' | 'private'): number;
  /** Lays anonymous zero pages over mapped addresses. They cost no memory until they are written. */
  mapZeros(address: number, sizeBytes: number): void;
  unmap(address: number, sizeBytes: number): void;
  /** An ArrayBuffer over mapped memory, which must stay mapped as long as it lives. At most 1 GiB. */
  view(address: number, sizeBytes: number): ArrayBuffer;
  /** The same bytes of a SharedArrayBuffer behind an ordinary one. It must not outlive them: nothing keeps the memory for it. */
  alias(bytes: Uint8Array): Uint8Array;
  /** Where the bytes are: below 2^47. */
  addressOf(bytes: Uint8Array): number;
  /** Allocates disk or memory for `sizeBytes` of a file; what is there stays. Throws EOPNOTSUPP where it cannot. */
  allocate(fd: number, sizeBytes: number, fromByte?: number): void;
  /** Gives the disk or memory of a part of a file back; it reads zeros from then on. @returns false where the file system cannot */
  punch(fd: number, fromByte: number, sizeBytes: number): boolean;
  /** Gives pages of private memory back; they read zeros from then on. @returns false where they cannot be, such as locked ones */
  forget(address: number, sizeBytes: number): boolean;
  /** The memory node on which this thread runs now; undefined where the kernel does not say. */
  currentNode(): number | undefined;
  /**
   * Asks for pages to come from a memory node as long as it has some, and moves those that are elsewhere and mapped by nobody else.
   * @returns false where the kernel cannot or may not
   */
  preferNode(address: number, sizeBytes: number, node: number): boolean;
  /** Pages of a mapping that are in memory. */
  residentPages(address: number, sizeBytes: number): number;
  /** Takes the write lock of one byte for this open file. @returns false when another open file holds it */
  lock(fd: number, byte: number): boolean;
  /** True when another open file holds the lock of the byte. */
  isLocked(fd: number, byte: number): boolean;
  /**
   * Puts huge pages, present and zero where nothing was, in place of the pages of a mapping; of a file in memory they are so for everybody.
   * Both numbers are multiples of `hugePageBytes`. @returns false where the kernel cannot (before Linux 6.1, files on a disk), or has none left
   */
  collapse(address: number, sizeBytes: number): boolean;
  /** Asks for huge pages where private memory will be touched. @returns false where the kernel has none */
  preferHuge(address: number, sizeBytes: number): boolean;
}

// Values of Linux, the same on x64 and arm64.
const fallocateKeepSize = 0x01;
const fallocatePunchHole = 0x02;
const fOfdGetLock = 36;
const fOfdSetLock = 37;
const fWriteLock = 1;
const fUnlocked = 2;
const flockBytes = 32;
const errnoInterrupted = 4;
const errnoAgain = 11;
const errnoAccess = 13;
const errnoInvalid = 22;
const errnoNoSystemCall = 38;
const errnoNotSupported = 95;
/** What a file system answers that cannot punch holes. */
const cannotPunch: ReadonlySet<number> = new Set([
  errnoInvalid,
  errnoNoSystemCall,
  errnoNotSupported,
]);

/** A signal may interrupt a long allocation this many times. */
const interruptionsMax = 1000;

/** Numbers of system calls that the C library of older systems does not have. */
const systemCalls = {
  x64: { getcpu: 309, mbind: 237 },
  arm64: { getcpu: 168, mbind: 235 },
} as const;
const policyPreferred = 1;
const policyMovePages = 2;
/** Nodes that the kernel can have: 1024. It takes one off the number of bits that it is told. */
const nodeMaskBytes = 128;
const nodeMaskBits: number = nodeMaskBytes * 8 + 1;

/**
 * `struct flock` of one byte, whole file offsets in 64 bits:
 * ```
 *  byte 0      2        4       8        16      24     28
 *      ┌──────┬────────┬───────┬────────┬───────┬──────┬───────┐
 *      │ type │ whence │ (gap) │ start  │ len   │ pid  │ (gap) │
 *      └──────┴────────┴───────┴────────┴───────┴──────┴───────┘
 * ```
 * pid must be 0 for locks of an open file description.
 */
function flockOf(byte: number): Uint8Array {
  const flock = new Uint8Array(flockBytes);
  const fields = new DataView(flock.buffer);
  fields.setInt16(0, fWriteLock, true);
  fields.setBigInt64(8, BigInt(byte), true);
  fields.setBigInt64(16, 1n, true);
  return flock;
}

function bindFiles(koffi: Koffi, libc: Libc): Pick<OsCalls, 'allocate' | 'punch'> {
  const reserve = libc.func('int posix_fallocate(int, int64_t, int64_t)');
  const fallocate = libc.func('int fallocate(int, int, int64_t, int64_t)');

  /** Calls until a signal no longer gets in between. @returns the errno, 0 for none */
  function uninterrupted(call: () => number): number {
    for (let attempt = 0; ; attempt += 1) {
      const errno = call();
      if (errno !== errnoInterrupted || attempt === interruptionsMax) return errno;
    }
  }

  return {
    allocate(fd, sizeBytes, fromByte = 0) {
      const errno = uninterrupted(() => reserve(fd, fromByte, sizeBytes) as number);
      if (errno !== 0) throw systemError('posix_fallocate', errno);
    },
    punch(fd, fromByte, sizeBytes) {
      const mode = fallocatePunchHole | fallocateKeepSize;
      const errno = uninterrupted(() =>
        fallocate(fd, mode, fromByte, sizeBytes) === 0 ? 0 : koffi.errno(),
      );
      if (errno !== 0 && !cannotPunch.has(errno)) throw systemError('fallocate', errno);
      return errno === 0;
    },
  };
}

function bindLocks(koffi: Koffi, libc: Libc): Pick<OsCalls, 'lock' | 'isLocked'> {
  const fcntl = libc.func('int fcntl(int, int, void *)');
  return {
    lock(fd, byte) {
      if (fcntl(fd, fOfdSetLock, flockOf(byte)) === 0) return true;
      const errno = koffi.errno();
      if (errno === errnoAgain || errno === errnoAccess) return false;
      throw systemError('fcntl', errno);
    },
    isLocked(fd, byte) {
      const flock = flockOf(byte);
      if (fcntl(fd, fOfdGetLock, flock) !== 0) throw systemError('fcntl', koffi.errno());
      return new DataView(flock.buffer).getInt16(0, true) !== fUnlocked;
    },
  };
}

function bindNodes(
  libc: Libc,
  arch: keyof typeof systemCalls,
): Pick<OsCalls, 'currentNode' | 'preferNode'> {
  const { getcpu, mbind } = systemCalls[arch];
  const call3 = libc.func('long syscall(long, void *, void *, void *)');
  const call6 = libc.func('long syscall(long, void *, size_t, long, void *, size_t, long)');
  const node = new Uint32Array(1);
  return {
    currentNode: () => (Number(call3(getcpu, null, node, null)) === 0 ? node[0] : undefined),
    preferNode(address, sizeBytes, wanted) {
      if (!(wanted >= 0 && wanted < nodeMaskBytes * 8)) return false;
      const mask = new Uint8Array(nodeMaskBytes); // little endian: byte by byte is word by word
      mask[wanted >> 3] = 1 << (wanted & 7);
      const [at, mode, flags] = [BigInt(address), policyPreferred, policyMovePages];
      return Number(call6(mbind, at, sizeBytes, mode, mask, nodeMaskBits, flags)) === 0;
    },
  };
}

function bindCalls(koffi: Koffi, arch: keyof typeof systemCalls): OsCalls {
  const libc = koffi.load(null);
  return {
    ...bindMappings(koffi, libc),
    ...bindFiles(koffi, libc),
    ...bindLocks(koffi, libc),
    ...bindNodes(libc, arch),
  };
}

/**
 * Loads the calls for a platform. `load` is `require`: koffi comes as a prebuilt package per platform, or whole.
 * @throws platform_unsupported, koffi_missing
 */
export function loadOsCalls(
  platform: string,
  arch: string,
  load: (name: string) => unknown,
): OsCalls {
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) {
    fail(
      'platform_unsupported',
      `mapped pools run on Linux x64 and arm64, not on ${platform} ${arch}`,
    );
  }
  let cause: unknown;
  for (const name of [`@koromix/koffi-${platform}-${arch}`, 'koffi']) {
    try {
      return bindCalls(load(name) as Koffi, arch);
    } catch (error) {
      cause = error;
    }
  }
  return fail(
    'koffi_missing',
    'mapped pools need the package koffi, which cannot be loaded',
    cause,
  );
}

let loaded: OsCalls | undefined;

/** The calls of this machine. @throws platform_unsupported, koffi_missing */
export function osCalls(): OsCalls {
  loaded ??= loadOsCalls(process.platform, process.arch, createRequire(import.meta.url));
  return loaded;
}
