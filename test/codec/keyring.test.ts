/** Keys in a file: the newest wraps, all open, others may not read. */

import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openKeyring } from '../../src/codec/keyring.ts';
import { freshSeal, openBytes, openSeal, sealBytes } from '../../src/codec/seal.ts';

function freshFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-keyring-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'deep', 'keys.json');
}

const dataKey = Buffer.alloc(32, 5);

describe('a keyring', () => {
  it('is made with a first key that only its user may read', async () => {
    const path = freshFile();
    const ring = openKeyring(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const wrapped = await ring.wrap(dataKey);
    const again = openKeyring(path);
    expect(again.keyId).toBe(ring.keyId);
    expect(Buffer.from(await again.unwrap(ring.keyId, wrapped))).toEqual(dataKey);
  });

  it('wraps with the newest key and opens with all', async () => {
    const path = freshFile();
    const ring = openKeyring(path);
    const other = openKeyring(path);
    const [old, wrapped] = [ring.keyId, await ring.wrap(dataKey)];
    const fresh = ring.rotate();
    expect(ring.keyId).toBe(fresh);
    expect(ring.keyIds).toEqual([old, fresh]);
    expect(Buffer.from(await ring.unwrap(old, wrapped))).toEqual(dataKey);
    // One that has not looked since finds the new key all the same.
    const later = await ring.wrap(dataKey);
    expect(Buffer.from(await other.unwrap(fresh, later))).toEqual(dataKey);
    expect(other.rotate()).not.toBe(fresh);
    expect(openKeyring(path).keyIds.slice(0, 2)).toEqual([old, fresh]);
  });

  it('gives no key for what another has wrapped', async () => {
    const [mine, theirs] = [openKeyring(freshFile()), openKeyring(freshFile())];
    const wrapped = await theirs.wrap(dataKey);
    const refused: unknown = expect.objectContaining({ code: 'key_unavailable' });
    await expect(mine.unwrap(theirs.keyId, wrapped)).rejects.toEqual(refused);
    await expect(mine.unwrap(mine.keyId, wrapped)).rejects.toEqual(refused);
    await expect(mine.unwrap(mine.keyId, wrapped.subarray(1))).rejects.toEqual(refused);
  });

  it('is refused when others may read it, and when it is damaged', () => {
    const path = freshFile();
    openKeyring(path);
    chmodSync(path, 0o640);
    const refused: unknown = expect.objectContaining({ code: 'key_unavailable' });
    expect(() => openKeyring(path)).toThrow(refused);
    chmodSync(path, 0o600);
    writeFileSync(path, readFileSync(path, 'utf8').replace('"key":"', '"key":"AAAA'));
    expect(() => openKeyring(path)).toThrow(refused);
  });

  it('is not changed by two at once', () => {
    const path = freshFile();
    const ring = openKeyring(path);
    writeFileSync(`${path}.lock`, '1');
    expect(() => ring.rotate()).toThrow(expect.objectContaining({ code: 'pool_busy' }));
    writeFileSync(`${path}.lock`, '4194305');
    expect(ring.rotate()).toBe(ring.keyId);
  });
});

describe('a seal', () => {
  it('opens what it sealed, for what it was sealed', async () => {
    const ring = openKeyring(freshFile());
    const seal = await freshSeal(ring);
    const [context, bytes] = [Buffer.from('acme chat-42'), Buffer.from('secret')];
    const sealed = sealBytes(seal, 3, context, bytes);
    expect(sealed.includes('secret')).toBe(false);
    const opened = await openSeal(ring, { ...seal });
    expect(openBytes(opened, 3, context, sealed)).toEqual(bytes);
    expect(openBytes(opened, 2, context, sealed)).toBeUndefined();
    expect(openBytes(opened, 3, Buffer.from('acme chat-43'), sealed)).toBeUndefined();
    expect(openBytes(opened, 3, context, sealed.subarray(0, 10))).toBeUndefined();
    for (let bit = 0; bit < 8 * sealed.length; bit++) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(openBytes(opened, 3, context, changed)).toBeUndefined();
    }
  });

  it('has a data key of its own each time', async () => {
    const ring = openKeyring(freshFile());
    const [one, two] = [await freshSeal(ring), await freshSeal(ring)];
    expect(Buffer.compare(one.dataKey, two.dataKey)).not.toBe(0);
    expect(Buffer.compare(one.nonce, two.nonce)).not.toBe(0);
  });
});
