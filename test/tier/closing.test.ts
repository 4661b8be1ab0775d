/** A pool that is closed while parts are on their way to the disk, or back: who waits is told, and nothing stays held. */

import { describe, expect, it } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { expectSound, filled, freshPath, mib } from '../pool/support/pools.ts';
import { losePower } from '../support/lose-power.ts';
import { diskPool, evictAll, loaded } from './support/pools.ts';

/** More than are written at once. */
const parts = 30;
const partBytes = 100_000;

/** What became of it: the code of an error, or what `work` gave. */
async function outcome(work: Promise<unknown>): Promise<unknown> {
  return work.catch((error: unknown) => (error as { code?: unknown }).code ?? error);
}

/** A pool whose part 'p' of 'a' is on the disk only. */
async function cold(path: string, onStep?: (step: string) => void): Promise<Pool> {
  const disk = { versions: 2, ...(onStep && { onStep }) };
  const of = await diskPool(path, { tiers: { disk } });
  of.put('a', 'p', filled(3 * mib, 1));
  await of.persist('a');
  evictAll(of);
  return of;
}

describe('a pool that is closed', () => {
  it('while parts are written has written a part or not, and holds none of them', async () => {
    const path = freshPath();
    const first = await diskPool(path);
    for (let i = 0; i < parts; i++) first.put('a', `p${i}`, filled(partBytes, i));
    const persisting = outcome(first.persist('a'));
    await first.close();
    expect(await persisting).toBe('pool_closed');
    const second = await diskPool(path);
    evictAll(second);
    for (let i = 0; i < parts; i++) expect(second.where('a', `p${i}`), `p${i}`).not.toBe('hot');
    expectSound(second);
  });

  it('when all parts are about to be there keeps its word', async () => {
    const path = freshPath();
    let close: (() => void) | undefined;
    const first = await diskPool(path, {
      tiers: { disk: { onStep: (step) => step === 'persist:durable' && close?.() } },
    });
    first.put('a', 'p', filled(partBytes, 1));
    const closed = new Promise<void>((resolve, reject) => {
      close = () => void first.close().then(resolve, reject);
    });
    await first.persist('a');
    await closed;
    losePower(path);
    const second = await diskPool(path);
    expect((await loaded(second, 'a', 'p'))?.equals(filled(partBytes, 1))).toBe(true);
  });

  it.each(['load:begin', 'load:read', 'load:promoted'])(
    'while a part comes back, at %s, gives no lease on it',
    async (at) => {
      const path = freshPath();
      let closing: Promise<void> | undefined;
      const of = await cold(path, (step) => {
        if (step === at) closing ??= of.close();
      });
      expect(await outcome(of.load('a', 'p'))).toBe('pool_closed');
      await closing;
      const again = await diskPool(path);
      expect((await loaded(again, 'a', 'p'))?.equals(filled(3 * mib, 1))).toBe(true);
      evictAll(again);
      expect(again.where('a', 'p')).toBe('disk');
      expectSound(again);
    },
  );

  it('while a version is read waits for it', async () => {
    const of = await cold(freshPath());
    const [{ version } = { version: 0 }] = of.versions('a', 'p');
    const loading = outcome(of.load('a', 'p', { version }));
    await of.close();
    expect(await loading).toMatchObject({ version, sizeBytes: 3 * mib });
  });
});
