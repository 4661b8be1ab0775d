/** What lies below memory, as types: how a pool is given a tier, and what the tier tells. */

/** A tier below memory: LMDB in a folder, which needs the package `lmdb`. Of pools with a path. */
export interface DiskTierOptions {
  /** Folder of its files. Default: `disk` in the folder of the pool. */
  readonly path?: string;
  /** Bound on the bytes of its records. Default 64 GiB. */
  readonly maxBytes?: number;
  /**
   * Memory that is kept free by moving the coldest parts to the disk, so that a put finds room without evicting. Default an eighth of the
   * capacity; 0: parts come to the disk by `persist` only.
   */
  readonly reserveBytes?: number;
  /** How many versions of a part are kept, the current one included: 1 (default) to 1,000. Earlier ones go with the part when it is deleted. */
  readonly versions?: number;
  /** Called at labelled steps: for tests that end the process there. */
  readonly onStep?: (name: string) => void;
}

export interface TierOptions {
  readonly disk?: DiskTierOptions;
}

/** Where the disk tier of a pool is, for threads that join it. */
export interface DiskHandle {
  readonly poolPath: string;
  readonly diskPath: string;
  readonly maxBytes: number;
  readonly reserveBytes: number | undefined;
  readonly versions: number;
  /** True when it seals what it writes: who joins needs the keys. */
  readonly sealed?: boolean;
  /** Whom it seals for. */
  readonly tenant?: string;
}

/** The disk tier of a pool: what it holds, and what has happened since the pool was opened. */
export interface DiskStats {
  /** Bytes of records, and their bound. */
  readonly usedBytes: number;
  readonly maxBytes: number;
  /** Records that are to be removed. */
  readonly doomed: number;
  /** Records written. */
  readonly persisted: number;
  /** Parts that `load` brought back to memory. */
  readonly promoted: number;
  /** Parts that left memory without a write, since the disk had them. */
  readonly dropped: number;
  /** Parts evicted before they could be written (`demote_lagged`): lost. */
  readonly lagged: number;
  /** Versions that were replaced before they could be kept: what waited to be written was too much. */
  readonly versionsLagged: number;
  /** Records found damaged. */
  readonly corrupt: number;
  readonly bytesWritten: number;
  readonly bytesRead: number;
}

export interface LoadOptions {
  /** One of those that `versions` tells. It comes as a copy, and does not become the current one. */
  readonly version?: number;
  /** Ends the wait and changes nothing. */
  readonly signal?: AbortSignal;
}

/** A version of a part that can be loaded. */
export interface PartVersion {
  readonly version: number;
  readonly sizeBytes: number;
  readonly place: 'hot' | 'disk';
}

export interface PersistOptions {
  /** Only this part. */
  readonly part?: string;
  /** Ends the wait: what was written by then stays. */
  readonly signal?: AbortSignal;
}
