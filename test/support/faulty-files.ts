/**
 * A stand-in for node:fs/promises whose calls are counted, and fail or fall short when a test says so; what they have done to a folder is written
 * down for a disk on paper (test/power/support/disk.ts). Put in place with vi.mock, whose factory must import it by itself.
 */

import type * as FilePromises from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { kind, type LogRecord } from '../power/support/log.ts';

export interface Faults {
  /** The n-th call (from 1) fails with this error, and all later ones when `forever`. */
  failAt: number;
  code: string;
  forever: boolean;
  /** Most bytes that a write takes. */
  writeMostBytes: number;
  calls: number;
  records: LogRecord[];
}

/** What tests set; one per test file. */
export const faults: Faults = {
  failAt: Infinity,
  code: 'ENOSPC',
  forever: false,
  writeMostBytes: Infinity,
  calls: 0,
  records: [],
};

export function resetFaults(): void {
  Object.assign(faults, {
    failAt: Infinity,
    forever: false,
    writeMostBytes: Infinity,
    calls: 0,
    records: [],
  });
}

function count(): void {
  const call = ++faults.calls;
  const hit = faults.forever ? call >= faults.failAt : call === faults.failAt;
  if (hit) throw Object.assign(new Error(`injected ${faults.code}`), { code: faults.code });
}

const nothing = Buffer.alloc(0);

function note(record: Partial<LogRecord>): void {
  faults.records.push({
    kind: 0,
    inode: 0n,
    offset: 0,
    length: 0,
    path: '',
    other: '',
    data: nothing,
    isFolder: false,
    isSynchronous: false,
    ...record,
  });
}

let syncs = 0;

/** What was written through a mapping shows when it is synced. */
async function noteContent(file: FileHandle, inode: bigint): Promise<void> {
  const { size: length } = await file.stat();
  const data = Buffer.alloc(length);
  await file.read(data, 0, length, 0);
  note({ kind: kind.truncate, inode, length });
  note({ kind: kind.write, inode, data });
}

/** An open file whose calls are counted and written down. @param isMapped others have written to it through a mapping */
async function watched(file: FileHandle, path: string, isMapped: boolean): Promise<FileHandle> {
  const status = await file.stat({ bigint: true });
  const inode = status.ino;
  const isFolder = status.isDirectory();
  type Write = (
    bytes: Uint8Array,
    from: number,
    length: number,
    at: number,
  ) => Promise<{ bytesWritten: number }>;
  const real = {
    write: file.write.bind(file) as unknown as Write,
    sync: file.sync.bind(file),
    truncate: file.truncate.bind(file),
  };
  const write: Write = async (bytes, from, length, at) => {
    count();
    const most = Math.min(length, faults.writeMostBytes);
    const result = await real.write(bytes, from, most, at);
    const data = Buffer.from(bytes.slice(from, from + result.bytesWritten));
    note({ kind: kind.write, inode, offset: at, data });
    return result;
  };
  return Object.assign<FileHandle, object>(file, {
    write,
    async writeFile(text: string) {
      const bytes = Buffer.from(text);
      for (let done = 0; done < bytes.length;)
        done += (await write(bytes, done, bytes.length - done, done)).bytesWritten;
    },
    async truncate(length: number) {
      count();
      await real.truncate(length);
      note({ kind: kind.truncate, inode, length });
    },
    async sync() {
      count();
      if (isMapped) await noteContent(file, inode);
      const offset = ++syncs;
      note({ kind: kind.syncBegins, inode, offset, path, isFolder });
      await real.sync();
      note({ kind: kind.sync, inode, offset, path, isFolder });
    },
  });
}

/** The module with these calls in place of its own. */
export function faultyFiles(real: typeof FilePromises): typeof FilePromises {
  const open = async (path: string, flags?: string, mode?: number): Promise<FileHandle> => {
    count();
    const file = await real.open(path, flags, mode);
    const status = await file.stat({ bigint: true });
    // One that others have made is new as well.
    const isKnown = faults.records.some(({ inode }) => inode === status.ino);
    const isWritten = flags === 'wx' || flags === 'r+';
    if (isWritten && !isKnown) note({ kind: kind.create, inode: status.ino, path });
    return watched(file, path, flags === 'r+');
  };
  return {
    ...real,
    open: open as typeof real.open,
    async mkdir(path: string, options?: object) {
      count();
      await real.mkdir(path, options);
      const { ino } = await real.stat(path, { bigint: true });
      note({ kind: kind.create, inode: ino, path, isFolder: true });
    },
    async rename(path: string, other: string) {
      count();
      await real.rename(path, other);
      note({ kind: kind.rename, path, other });
    },
    async unlink(path: string) {
      await real.unlink(path);
      note({ kind: kind.unlink, path });
    },
  } as typeof FilePromises;
}
