/** A file system without room, and a machine without lmdb: coded, and nothing is lost of what was there. */

import { mkdirSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { filled, freshPath } from '../pool/support/pools.ts';
import { runToEnd } from '../support/children.ts';
import { losePower } from '../support/lose-power.ts';
import { diskPool, evictAll, loaded } from './support/pools.ts';

function mounted(): string | undefined {
  const folder = `${freshPath()}-small`;
  mkdirSync(folder);
  const options = ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder];
  if (runToEnd('mount', options).status !== 0) return undefined;
  onTestFinished(() => void runToEnd('umount', ['-l', folder]));
  return folder;
}

it('a full file system is a coded result, and what was durable stays', async (context) => {
  const folder = mounted();
  if (folder === undefined) return context.skip('no right to mount: run as root in a container');
  const path = freshPath();
  const tiers = { disk: { path: `${folder}/disk` } };
  const of = await diskPool(path, { tiers });
  let written = 0;
  let failure: unknown;
  for (; written < 40 && failure === undefined; written++) {
    of.put(`${written}`, 'p', filled(200_000, written));
    failure = await of.persist(`${written}`).then(
      () => undefined,
      (error: unknown) => error,
    );
  }
  expect(failure).toMatchObject({ code: 'tier_full' });
  // Again, and it goes on as long as something fits.
  await expect(of.persist(`${written - 1}`)).rejects.toMatchObject({ code: 'tier_full' });
  expect(of.stats().disk?.persisted).toBe(written - 1);
  evictAll(of);
  for (let i = 0; i < written - 1; i++) {
    expect((await loaded(of, `${i}`, 'p'))?.equals(filled(200_000, i)), `${i}`).toBe(true);
  }
  await of.close();
  losePower(path);
  const again = await diskPool(path, { tiers });
  for (let i = 0; i < written - 1; i++) {
    expect((await loaded(again, `${i}`, 'p'))?.equals(filled(200_000, i)), `${i}`).toBe(true);
  }
});
