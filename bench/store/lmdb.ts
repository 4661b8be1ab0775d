/**
 * LMDB with the settings a cache would use: raw bytes, no compression, no object cache, no sync to the device (its files
 * are in memory here anyway). A put is one transaction, as ours is durable against a process crash when it returns.
 */

import { open, type RootDatabase } from 'lmdb';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Subject } from '../harness/rounds.ts';

export type Lmdb = RootDatabase<Buffer, string>;

const idsPerTransaction = 1000;

export function openLmdb(folder: string, bytesMax: number): Lmdb {
  const path = join(folder, 'lmdb');
  mkdirSync(path, { recursive: true });
  return open<Buffer, string>({
    path,
    encoding: 'binary',
    compression: false,
    cache: false,
    noSync: true,
    noMetaSync: true,
    mapSize: Math.ceil((bytesMax * 1.5) / 2 ** 20) * 2 ** 20 + 256 * 2 ** 20,
  });
}

export function fillLmdb(db: Lmdb, ids: readonly string[], payload: Uint8Array): void {
  const value = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  for (let from = 0; from < ids.length; from += idsPerTransaction) {
    db.transactionSync(() => {
      for (const id of ids.slice(from, from + idsPerTransaction)) db.putSync(id, value);
    });
  }
}

export function lmdbGet(db: Lmdb, ids: readonly string[], order: Int32Array): Subject {
  return {
    name: 'lmdb',
    run(from, to) {
      let sum = 0;
      for (let i = from; i < to; i += 1) {
        const bytes = db.getBinaryFast(ids[order[i] as number] as string);
        if (bytes === undefined) throw new Error('lmdb lost an id');
        sum = (sum + (bytes[0] as number)) | 0;
      }
      return sum;
    },
  };
}

export function lmdbPut(db: Lmdb, ids: readonly string[], sources: readonly Uint8Array[]): Subject {
  const buffers = sources.map((source) =>
    Buffer.from(source.buffer, source.byteOffset, source.byteLength),
  );
  let next = 0;
  return {
    name: 'lmdb',
    run(from, to) {
      for (let i = from; i < to; i += 1) {
        db.putSync(ids[next % ids.length] as string, buffers[i % buffers.length] as Buffer);
        next = (next + 1) | 0;
      }
      return next;
    },
  };
}
