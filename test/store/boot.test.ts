/** A pool closed in order before the machine went down: what the page cache held then may never have reached the disk. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshIdentity } from '../../src/memory/identity.ts';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import { thisBootId } from '../../src/memory/process.ts';
import { openPool } from '../../src/pool/open.ts';
import { closeStore, openStore } from '../../src/store/open.ts';

const capacityBytes = 4 * 2 ** 20;
const marker = 'what was written before the lights went out';

let path: string;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'cenote-boot-'));
});

afterEach(() => rmSync(path, { recursive: true, force: true }));

/** Opens and closes the pool as a machine with that boot id. */
function visit(bootId: string): boolean {
  const region = openMappedRegion(path, 'own', { ...freshIdentity(), capacityBytes, bootId });
  const clock = { nowMs: () => Date.now() };
  const { store, recovery } = openStore(
    region,
    { zeroKinds: 0 },
    { clock, seed: 1, eviction: 'lru', checksums: true, hooks: {} },
  );
  closeStore(store);
  region.close();
  return recovery !== undefined;
}

async function write(): Promise<void> {
  const pool = await openPool({ path, capacityBytes });
  pool.put('a', 'p', marker);
  await pool.close();
}

function damagePayload(): void {
  const file = join(path, 'segment-0000');
  const image = readFileSync(file);
  const at = image.indexOf(marker);
  image.writeUInt8(image.readUInt8(at) ^ 1, at);
  writeFileSync(file, image);
}

describe('a pool that was closed in order', () => {
  it('is taken over as it is during the same boot', async () => {
    await write();
    expect(visit(thisBootId())).toBe(false);
  });

  it('is recovered during another boot', async () => {
    await write();
    expect(visit('1'.repeat(32))).toBe(true);
    expect(visit('1'.repeat(32))).toBe(false);
  });

  it('gives no bytes away that the disk has lost', async () => {
    await write();
    visit('1'.repeat(32));
    damagePayload();
    const pool = await openPool({ path });
    expect(() => pool.get('a', 'p')).toThrow(expect.objectContaining({ code: 'part_corrupt' }));
    await pool.close();
  });

  it('is not trusted by an onlooker either', async () => {
    await write();
    visit('1'.repeat(32));
    damagePayload();
    const pool = await openPool({ path, readOnly: true });
    expect(() => pool.get('a', 'p')).toThrow(expect.objectContaining({ code: 'part_corrupt' }));
    await pool.close();
  });
});
