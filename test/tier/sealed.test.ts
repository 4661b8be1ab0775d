/** What goes to the disk of a pool with a key provider is sealed: for its tenant, part and version, and for nobody without the key. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { KeyProvider } from '../../src/codec/key-provider.ts';
import { openKeyring } from '../../src/codec/keyring.ts';
import { partKey } from '../../src/tier/disk-key.ts';
import { openEnvironment, openTable } from '../../src/tier/lmdb.ts';
import { decodeRecord, encodeRecord } from '../../src/tier/record.ts';
import type { DiskRecord } from '../../src/tier/record.ts';
import { freshPath, mib, read } from '../pool/support/pools.ts';
import { losePower } from '../support/lose-power.ts';
import { diskPool, evictAll, loaded } from './support/pools.ts';

const secret = 'the quick brown fox jumps over the lazy dog';
const large: Buffer = Buffer.alloc(2 * mib + 1, secret);

function keysBeside(path: string): KeyProvider {
  return openKeyring(join(dirname(path), 'keys.json'));
}

/** A closed pool with two parts on the disk, sealed. */
async function sealed(path: string, keyProvider: KeyProvider, tenant?: string): Promise<void> {
  const of = await diskPool(path, { keyProvider, ...(tenant !== undefined && { tenant }) });
  of.put('a', 'small', secret);
  of.put('a', 'large', large);
  await of.persist('a');
  await of.close();
}

describe('a sealed part', () => {
  it('comes back with its key, also one that is no longer the newest', async () => {
    const path = freshPath();
    const ring = openKeyring(join(dirname(path), 'keys.json'));
    await sealed(path, ring);
    ring.rotate();
    losePower(path);
    const of = await diskPool(path, { keyProvider: keysBeside(path) });
    expect(String(read(of, 'a', 'small'))).toBe(secret);
    expect(read(of, 'a', 'large')?.equals(large)).toBe(true);
    evictAll(of);
    expect((await loaded(of, 'a', 'large'))?.equals(large)).toBe(true);
  });

  it('cannot be read off the disk', async () => {
    const path = freshPath();
    await sealed(path, keysBeside(path));
    expect(readFileSync(join(path, 'disk', 'data.mdb')).includes(secret)).toBe(false);
    const plain = freshPath();
    const of = await diskPool(plain);
    of.put('a', 'small', secret);
    await of.persist('a');
    expect(readFileSync(join(plain, 'disk', 'data.mdb')).includes(secret)).toBe(true);
  });

  it.each([
    ['without a key', () => ({})],
    ['with other keys', () => ({ keyProvider: keysBeside(freshPath()) })],
  ])('is refused %s, and stays', async (_, options) => {
    const path = freshPath();
    const keyProvider = keysBeside(path);
    await sealed(path, keyProvider);
    losePower(path);
    const of = await diskPool(path, options());
    expect(of.where('a', 'small')).toBe('disk');
    for (const part of ['small', 'large']) {
      await expect(of.load('a', part)).rejects.toMatchObject({ code: 'key_unavailable' });
    }
    await of.close();
    const again = await diskPool(path, { keyProvider });
    expect(String(await loaded(again, 'a', 'small'))).toBe(secret);
  });

  it('does not open for another tenant', async () => {
    const path = freshPath();
    const keyProvider = keysBeside(path);
    await sealed(path, keyProvider, 'acme');
    losePower(path);
    const of = await diskPool(path, { keyProvider, tenant: 'other' });
    await expect(of.load('a', 'small')).rejects.toMatchObject({ code: 'part_corrupt' });
    await expect(of.load('a', 'large')).rejects.toMatchObject({ code: 'part_corrupt' });
  });

  it('does not open as another part or version, though its record says so', async () => {
    const path = freshPath();
    const keyProvider = keysBeside(path);
    await sealed(path, keyProvider);
    const environment = await openEnvironment(join(path, 'disk'));
    const parts = openTable(environment, 'parts');
    const [key, other] = [partKey('a', 'small'), partKey('a', 'other')];
    await environment.childTransaction(() => {
      const record = decodeRecord(key, parts.get(key) as Uint8Array) as DiskRecord;
      parts.put(other, encodeRecord(other, record));
      parts.put(key, encodeRecord(key, { ...record, version: record.version + 1 }));
    });
    await environment.close();
    losePower(path);
    const of = await diskPool(path, { keyProvider });
    for (const part of ['small', 'other']) {
      await expect(of.load('a', part)).rejects.toMatchObject({ code: 'part_corrupt' });
    }
  });

  it('is not written when its key cannot be had', async () => {
    const broken: KeyProvider = {
      keyId: 'gone',
      wrap: () => Promise.reject(new Error('the vault is closed')),
      unwrap: () => Promise.reject(new Error('the vault is closed')),
    };
    const of = await diskPool(freshPath(), { keyProvider: broken });
    of.put('a', 'p', secret);
    await expect(of.persist('a')).rejects.toMatchObject({ code: 'key_unavailable' });
    expect(of.stats().disk?.usedBytes).toBe(0);
  });
});
