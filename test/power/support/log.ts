/** Reads what the recorder (recorder.c) has written down. */

export const kind = {
  create: 1,
  write: 2,
  truncate: 3,
  sync: 4,
  rename: 5,
  unlink: 6,
  mapped: 7,
  acknowledged: 8,
  syncBegins: 9,
  link: 10,
} as const;

const flag = { isFolder: 1, isSynchronous: 2 } as const;
const magic = 0x43_4e_50_57;
const headBytes = 48;

export interface LogRecord {
  readonly kind: number;
  readonly inode: bigint;
  readonly offset: number;
  readonly length: number;
  readonly path: string;
  readonly other: string;
  readonly data: Buffer;
  readonly isFolder: boolean;
  readonly isSynchronous: boolean;
}

/** @throws when the log is not whole */
export function parseLog(log: Buffer): LogRecord[] {
  const records: LogRecord[] = [];
  for (let at = 0; at < log.length;) {
    if (log.readUInt32LE(at) !== magic) throw new Error(`no record at byte ${at} of the log`);
    const [pathBytes, otherBytes, dataBytes, flags] = [32, 36, 40, 44].map((field) =>
      log.readUInt32LE(at + field),
    ) as [number, number, number, number];
    const pathAt = at + headBytes;
    const dataAt = pathAt + pathBytes + otherBytes;
    records.push({
      kind: log.readUInt32LE(at + 4),
      inode: log.readBigUInt64LE(at + 8),
      offset: Number(log.readBigUInt64LE(at + 16)),
      length: Number(log.readBigUInt64LE(at + 24)),
      path: log.toString('utf8', pathAt, pathAt + pathBytes),
      other: log.toString('utf8', pathAt + pathBytes, dataAt),
      data: log.subarray(dataAt, dataAt + dataBytes),
      isFolder: (flags & flag.isFolder) !== 0,
      isSynchronous: (flags & flag.isSynchronous) !== 0,
    });
    at = dataAt + dataBytes;
  }
  return records;
}
