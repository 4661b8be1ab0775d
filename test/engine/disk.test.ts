/** State that has gone to the disk comes back from there, sealed where the pool seals. */

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openKeyring } from '../../src/codec/keyring.ts';
import { openEngine } from '../../src/engine/engine.ts';
import type { Pool } from '../../src/pool/api.ts';
import { freshPath, mib, pool } from '../pool/support/pools.ts';
import { seed } from '../support/seed.ts';
import { answer, codeOf, engine, missingEngine, smallModel, someTokens } from './support/models.ts';

const promptTokens = 200;

/** Makes the pool push out all state, until nothing of it is hot. */
async function pushOut(kept: Pool): Promise<void> {
  const names = kept.list({ prefix: 'kv:' }).map(({ id }) => id);
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) await kept.persist(name);
  for (let filler = 0; names.some((name) => kept.where(name, 'rows') === 'hot'); filler++) {
    kept.put(`filler-${filler % 64}`, 'x', new Uint8Array(mib / 4));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe.skipIf(missingEngine() !== undefined)('state on the disk', () => {
  it.each(['plain', 'sealed'])('comes back (%s)', async (how) => {
    const path = freshPath();
    const keyringPath = how === 'sealed' ? join(path, '..', 'keys.json') : undefined;
    const keys = keyringPath === undefined ? {} : { keyProvider: openKeyring(keyringPath) };
    const kept = await pool({
      path,
      capacityBytes: 8 * mib,
      tiers: { disk: { maxBytes: 64 * mib } },
      ...keys,
    });
    const one = await engine({ pool: kept, ...(keyringPath === undefined ? {} : { keyringPath }) });
    const tokens = someTokens(promptTokens, seed());
    const expected = await answer(one, { tokens });
    await one.flushed();
    await pushOut(kept);
    const again = await answer(one, { tokens });
    expect(again.usage.cachedTokens).toBe(192);
    expect(again.logitsDigest).toBe(expected.logitsDigest);
  });

  it('is not joined without the keys it is sealed with', async () => {
    const path = freshPath();
    const kept = await pool({
      path,
      capacityBytes: 8 * mib,
      tiers: { disk: { maxBytes: 64 * mib } },
      keyProvider: openKeyring(join(path, '..', 'keys.json')),
    });
    expect(await codeOf(openEngine({ modelPath: smallModel(), pool: kept }))).toBe(
      'key_unavailable',
    );
  });
});
