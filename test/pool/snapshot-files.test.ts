/** What a snapshot asks of the file system: all of every write, and that the disk has it before it is called done. */

import type * as FilePromises from 'node:fs/promises';
import { mkdtempSync, rmSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openPool } from '../../src/pool/open.ts';
import { restorePool } from '../../src/pool/snapshot.ts';

const { synced, shortest } = vi.hoisted(() => ({ synced: [] as string[], shortest: 1000 }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof FilePromises>();
  const open = async (path: string, flags?: string, mode?: number): Promise<FileHandle> => {
    const file = await real.open(path, flags, mode);
    const write = file.write.bind(file) as (
      b: Uint8Array,
      o: number,
      l: number,
      p: number,
    ) => unknown;
    const short = (b: Uint8Array, o: number, l: number, p: number): unknown =>
      write(b, o, Math.min(l, shortest), p);
    const sync = file.sync.bind(file);
    return Object.assign<FileHandle, object>(file, {
      write: short,
      sync: async () => {
        synced.push(path);
        await sync();
      },
    });
  };
  return { ...real, open };
});

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cenote-snapshot-files-'));
  synced.length = 0;
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('is whole though the system writes less at a time than it is given', async () => {
  const data = new Uint8Array(50_000).fill(7);
  const pool = await openPool({ capacityBytes: 4 * 2 ** 20 });
  pool.put('a', 'p', data);
  await pool.snapshot(join(folder, 'snapshot'));
  await pool.close();
  await restorePool(join(folder, 'snapshot'), join(folder, 'restored'));
  const restored = await openPool({ path: join(folder, 'restored') });
  expect(restored.get('a', 'p')?.data).toEqual(data);
  await restored.close();
});

it('is on the disk with its manifest and its name when it is done', async () => {
  const pool = await openPool({ capacityBytes: 4 * 2 ** 20 });
  await pool.snapshot(join(folder, 'snapshot'));
  await pool.close();
  const names = synced.map((path) => path.slice(folder.length).replace(/\.partial-\d+/, ''));
  expect(names).toEqual(['/.snapshot/segment-0000', '/.snapshot/snapshot.json', '/.snapshot', '']);
});
