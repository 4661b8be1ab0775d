/** How the bytes of a part come to the disk, and back: in the record itself when they are few, otherwise in chunks, sealed where there is a key. */

import { randomBytes } from 'node:crypto';
import { crc32 } from '../base/checksum.ts';
import { freshSeal, openBytes, openSeal, sealBytes, type OpenSeal } from '../codec/seal.ts';
import type { KeyProvider } from '../codec/key-provider.ts';
import { fail } from '../errors.ts';
import { chunkKey, stowIdBytes } from './disk-key.ts';
import type { Disk } from './disk.ts';
import type { ReadTransaction } from './lmdb.ts';
import { decodeChunk, type DiskRecord, encodeChunk, type StowedBytes } from './record.ts';

/** More than that goes into chunks. */
export const inlineMaxBytes: number = 16 * 1024;
/** With its seal, its checksum and its page header a chunk fits 256 pages. */
export const chunkBytes: number = 2 ** 20 - 4096;
/** Chunks asked for at once, ahead of the one that is read. */
const readAhead = 4;

/** Whose bytes, and with which keys they are sealed. */
export interface Sealing {
  readonly keys: KeyProvider | undefined;
  readonly tenant: string;
}

/** What sealed bytes belong to. */
interface Belonging {
  readonly key: Uint8Array;
  readonly version: number;
  readonly sizeBytes: number;
}

/**
 * Writes the chunks of a part, and returns what its record says of its bytes. Chunks are on the disk then, and belong to nobody until the record is.
 * `alive` is asked between chunks, and throws to give up.
 */
export async function stow(
  disk: Disk,
  sealing: Sealing,
  part: Belonging & { readonly bytes: Uint8Array; readonly writer: string },
  alive: () => void,
): Promise<StowedBytes> {
  const { key, version, bytes } = part;
  const { length } = bytes;
  const context = belonging(sealing.tenant, { key, version, sizeBytes: length });
  const seal = sealing.keys === undefined ? undefined : await freshSeal(sealing.keys);
  const stowId = randomBytes(stowIdBytes);
  if (length <= inlineMaxBytes) {
    const own = Buffer.from(bytes);
    const inline = seal === undefined ? own : sealBytes(seal, 0, context, own);
    return { sizeBytes: length, crc32: crc32(own), seal, stowId, chunks: 0, inline };
  }
  const chunks = Math.ceil(length / chunkBytes);
  let sum = 0;
  try {
    for (let number = 0; number < chunks; number++) {
      alive();
      // In private memory: the bytes of shared buffers are not what lmdb would write.
      const own = Buffer.from(bytes.subarray(number * chunkBytes, (number + 1) * chunkBytes));
      sum = crc32(own, sum);
      const body = seal === undefined ? own : sealBytes(seal, number, context, own);
      const chunk = encodeChunk(chunkKey(stowId, number), body);
      await disk.commit(chunk.length, () => disk.putChunk(stowId, number, chunk, part.writer));
    }
  } catch (error) {
    await abandon(disk, stowId);
    throw error;
  }
  const inline = new Uint8Array(0);
  return { sizeBytes: length, crc32: sum, seal, stowId, chunks, inline };
}

/** Removes chunks that no record came to know of. What fails here is found at the next opening. */
export async function abandon(disk: Disk, stowId: Uint8Array): Promise<void> {
  await disk.commit(0, () => disk.abandonChunks(stowId)).catch(() => undefined);
}

/**
 * Hands the bytes of a record to `take`, piece by piece, as they were written.
 * @throws part_corrupt, key_unavailable, and what `take` throws
 */
export async function unstow(
  disk: Disk,
  sealing: Sealing,
  key: Uint8Array,
  record: DiskRecord,
  transaction: ReadTransaction,
  take: (bytes: Uint8Array) => void,
): Promise<void> {
  const seal = record.seal === undefined ? undefined : await openSeal(sealing.keys, record.seal);
  const context = belonging(sealing.tenant, { ...record, key });
  let sum = 0;
  let sizeBytes = 0;
  for (let number = 0; number < Math.max(record.chunks, 1); number++) {
    const body =
      record.chunks === 0 ? record.inline : await readChunk(disk, record, number, transaction);
    const bytes = opened(seal, number, context, body);
    sum = crc32(bytes, sum);
    sizeBytes += bytes.length;
    if (sizeBytes > record.sizeBytes) break;
    take(bytes);
  }
  if (sizeBytes !== record.sizeBytes || sum !== record.crc32) damaged(record.version);
}

async function readChunk(
  disk: Disk,
  { stowId, chunks, version }: DiskRecord,
  number: number,
  transaction: ReadTransaction,
): Promise<Uint8Array> {
  if (number % readAhead === 0) {
    const count = Math.min(readAhead, chunks - number);
    const keys = Array.from({ length: count }, (_, i) => chunkKey(stowId, number + i));
    await disk.chunks.prefetch(keys);
  }
  const key = chunkKey(stowId, number);
  const value = disk.chunks.get(key, { transaction });
  return (value === undefined ? undefined : decodeChunk(key, value)) ?? damaged(version);
}

function opened(
  seal: OpenSeal | undefined,
  number: number,
  context: Uint8Array,
  body: Uint8Array,
): Uint8Array {
  if (seal === undefined) return body;
  return (
    openBytes(seal, number, context, body) ??
    fail(
      'part_corrupt',
      'A sealed part does not open: it is damaged, or was sealed for something else.',
    )
  );
}

function damaged(version: number): never {
  return fail('part_corrupt', `Version ${version} on the disk does not match its checksum.`);
}

/** Everything that a seal is bound to but for the place among chunks. */
function belonging(tenant: string, { key, version, sizeBytes }: Belonging): Buffer {
  const name = Buffer.from(tenant);
  const numbers = Buffer.alloc(18);
  numbers.writeUInt16LE(name.length);
  numbers.writeDoubleLE(version, 2);
  numbers.writeDoubleLE(sizeBytes, 10);
  return Buffer.concat([numbers, name, key]);
}
