/**
 * The record of a part on the disk, version 1. Little endian.
 *
 * ```
 * byte 0   magic 'CND1'                        36  crc32 of the bytes, unsealed
 *      4   traits (below)                      40  codec 8 │ seal 8: 0 none, 1 AES-256-GCM │ keyId length 16
 *      8   version, 64 bit                     44  wrapped key length 16 │ number of tags 16
 *     16   expiresAt ms, 64 bit; 0: never      48  number of chunks; 0: the bytes follow in this record
 *     24   written at ms, 64 bit               52  length of what follows the tags
 *     32   sizeBytes                           56  stow id, 8 bytes: which chunks
 *                                              64  nonce, 12 bytes
 *                                              76  0
 *     80   keyId │ wrapped key │ (length 16 │ text) for each tag │ bytes, when there are no chunks │ crc32
 *
 * traits   0–2 kind │ 3–6 element type │ 16 pinned │ 18 sensitive
 *
 * chunk    bytes │ crc32
 * ```
 * Sealed bytes are followed by their tag, those of each chunk by one of its own. Checksums begin with the key that the record is found under (chunks: with the
 * key of the chunk), so that a record in the wrong place is not taken for another.
 */

import { crc32 } from '../base/checksum.ts';
import { decodeUtf8 } from '../base/utf8.ts';
import { stowIdBytes } from './disk-key.ts';

export const nonceBytes = 12;

/** Values of `seal`. */
export const sealNone = 0;
export const sealAesGcm = 1;

export interface SealHeader {
  readonly keyId: string;
  readonly wrappedKey: Uint8Array;
  readonly nonce: Uint8Array;
}

/** What is known of a part's bytes on the disk. */
export interface StowedBytes {
  readonly sizeBytes: number;
  /** Of the bytes as they are, unsealed. */
  readonly crc32: number;
  readonly seal: SealHeader | undefined;
  readonly stowId: Uint8Array;
  readonly chunks: number;
  /** The bytes (sealed: with their tag) when there are no chunks. */
  readonly inline: Uint8Array;
}

export interface DiskRecord extends StowedBytes {
  /** Index into kinds. */
  readonly kind: number;
  /** Index into elementTypes. */
  readonly element: number;
  readonly pinned: boolean;
  readonly sensitive: boolean;
  readonly version: number;
  /** 0: never. */
  readonly expiresAtMs: number;
  readonly writtenAtMs: number;
  readonly tags: readonly string[];
}

const magic = 0x31_44_4e_43; // 'CND1'
const headerBytes = 80;
const checksumBytes = 4;
const elementShift = 3;
const pinnedBit = 0x1_0000;
const sensitiveBit = 0x4_0000;
const lowWord = 0x1_0000_0000;

const at = {
  magic: 0,
  traits: 4,
  version: 8,
  expiresAt: 16,
  writtenAt: 24,
  sizeBytes: 32,
  crc32: 36,
  codec: 40,
  seal: 41,
  keyIdLength: 42,
  wrappedLength: 44,
  tagCount: 46,
  chunks: 48,
  inlineLength: 52,
  stowId: 56,
  nonce: 64,
} as const;

export function encodeRecord(key: Uint8Array, record: DiskRecord): Buffer {
  const { seal, inline } = record;
  const keyId = Buffer.from(seal?.keyId ?? '');
  const wrappedKey = seal?.wrappedKey ?? new Uint8Array(0);
  const tags = record.tags.map((tag) => Buffer.from(tag));
  const tagBytes = tags.reduce((sum, tag) => sum + 2 + tag.length, 0);
  const body = headerBytes + keyId.length + wrappedKey.length + tagBytes;
  const bytes = Buffer.alloc(body + inline.length + checksumBytes);
  bytes.writeUInt32LE(magic, at.magic);
  bytes.writeUInt32LE(traitsOf(record), at.traits);
  writeWide(bytes, at.version, record.version);
  writeWide(bytes, at.expiresAt, record.expiresAtMs);
  writeWide(bytes, at.writtenAt, record.writtenAtMs);
  bytes.writeUInt32LE(record.sizeBytes, at.sizeBytes);
  bytes.writeInt32LE(record.crc32, at.crc32);
  bytes.writeUInt8(seal === undefined ? sealNone : sealAesGcm, at.seal);
  bytes.writeUInt16LE(keyId.length, at.keyIdLength);
  bytes.writeUInt16LE(wrappedKey.length, at.wrappedLength);
  bytes.writeUInt16LE(tags.length, at.tagCount);
  bytes.writeUInt32LE(record.chunks, at.chunks);
  bytes.writeUInt32LE(inline.length, at.inlineLength);
  bytes.set(record.stowId, at.stowId);
  if (seal !== undefined) bytes.set(seal.nonce, at.nonce);
  let to = headerBytes;
  for (const piece of [keyId, wrappedKey]) {
    bytes.set(piece, to);
    to += piece.length;
  }
  for (const tag of tags) {
    bytes.writeUInt16LE(tag.length, to);
    bytes.set(tag, to + 2);
    to += 2 + tag.length;
  }
  bytes.set(inline, to);
  const end = bytes.length - checksumBytes;
  bytes.writeInt32LE(crc32(bytes.subarray(0, end), crc32(key)), end);
  return bytes;
}

/** @returns undefined when it is not what was written under that key */
export function decodeRecord(key: Uint8Array, value: Uint8Array): DiskRecord | undefined {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const end = bytes.length - checksumBytes;
  if (end < headerBytes || bytes.readUInt32LE(at.magic) !== magic) return undefined;
  if (bytes.readInt32LE(end) !== crc32(bytes.subarray(0, end), crc32(key))) return undefined;
  const traits = bytes.readUInt32LE(at.traits);
  const sealAlgorithm = bytes.readUInt8(at.seal);
  if (bytes.readUInt8(at.codec) !== 0 || sealAlgorithm > sealAesGcm) return undefined;
  let from = headerBytes;
  const take = (length: number): Buffer => bytes.subarray(from, (from += length));
  const keyId = decodeUtf8(take(bytes.readUInt16LE(at.keyIdLength)));
  const wrappedKey = take(bytes.readUInt16LE(at.wrappedLength));
  const tags: string[] = [];
  for (let left = bytes.readUInt16LE(at.tagCount); left > 0; left--) {
    tags.push(decodeUtf8(take(take(2).readUInt16LE())));
  }
  const inline = take(bytes.readUInt32LE(at.inlineLength));
  if (from !== end) return undefined;
  const nonce = bytes.subarray(at.nonce, at.nonce + nonceBytes);
  return {
    kind: traits & 0x7,
    element: (traits >>> elementShift) & 0xf,
    pinned: (traits & pinnedBit) !== 0,
    sensitive: (traits & sensitiveBit) !== 0,
    version: readWide(bytes, at.version),
    expiresAtMs: readWide(bytes, at.expiresAt),
    writtenAtMs: readWide(bytes, at.writtenAt),
    sizeBytes: bytes.readUInt32LE(at.sizeBytes),
    crc32: bytes.readInt32LE(at.crc32),
    seal: sealAlgorithm === sealNone ? undefined : { keyId, wrappedKey, nonce },
    stowId: bytes.subarray(at.stowId, at.stowId + stowIdBytes),
    chunks: bytes.readUInt32LE(at.chunks),
    inline,
    tags,
  };
}

/** The version that a record claims, without looking at the rest. 0: it is none. */
export function claimedVersion(value: Uint8Array): number {
  return claimed(value, at.version);
}

/** When a record claims to be over, likewise. 0: never, or it is none. */
export function claimedExpiry(value: Uint8Array): number {
  return claimed(value, at.expiresAt);
}

function claimed(value: Uint8Array, field: number): number {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes.length < headerBytes || bytes.readUInt32LE(at.magic) !== magic) return 0;
  return readWide(bytes, field);
}

/** A chunk with its checksum behind it. */
export function encodeChunk(key: Uint8Array, bytes: Uint8Array): Buffer {
  const chunk = Buffer.alloc(bytes.length + checksumBytes);
  chunk.set(bytes);
  chunk.writeInt32LE(crc32(bytes, crc32(key)), bytes.length);
  return chunk;
}

/** @returns undefined when it is not what was written under that key */
export function decodeChunk(key: Uint8Array, value: Uint8Array): Uint8Array | undefined {
  if (value.length < checksumBytes) return undefined;
  const bytes = value.subarray(0, value.length - checksumBytes);
  const sum = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return sum.readInt32LE(bytes.length) === crc32(bytes, crc32(key)) ? bytes : undefined;
}

function traitsOf(record: DiskRecord): number {
  const bits = (record.pinned ? pinnedBit : 0) | (record.sensitive ? sensitiveBit : 0);
  return record.kind | (record.element << elementShift) | bits;
}

function writeWide(bytes: Buffer, offset: number, value: number): void {
  bytes.writeUInt32LE(value % lowWord, offset);
  bytes.writeUInt32LE(Math.floor(value / lowWord), offset + 4);
}

function readWide(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset + 4) * lowWord + bytes.readUInt32LE(offset);
}
