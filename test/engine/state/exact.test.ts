/** State that comes back from a pool is what was put there: 64 steps of logits are the same to the last bit. */

import { describe, expect, it } from 'vitest';
import type { KvType } from '../../../src/engine/api.ts';
import { blockHeadBytes, blockTokens } from '../../../src/engine/state/block.ts';
import { nameOf } from '../../../src/engine/state/keys.ts';
import { rowsPart } from '../../../src/engine/state/restore.ts';
import { parseState } from '../../../src/engine/state/rows.ts';
import type { Pool } from '../../../src/pool/api.ts';
import { mib, pool, read } from '../../pool/support/pools.ts';
import { seed } from '../../support/seed.ts';
import { missingEngine, smallModel, someTokens } from '../support/models.ts';
import { Played } from '../support/played.ts';

const capacityBytes = 32 * mib;
const promptTokens = 200;
/** Of 200 tokens the whole batches before the last token. */
const restorable = 192;

describe.skipIf(missingEngine() !== undefined)('restored state', () => {
  describe.each<KvType>(['f16', 'q8_0', 'f32'])('of %s', (kvType) => {
    it('gives the same logits in the same context', async () => {
      const kept = await pool({ capacityBytes });
      const played = new Played({ kvType });
      const prompt = someTokens(promptTokens, seed());
      const before = played.keep(kept, prompt);
      const { cached, logits } = await played.goOn(kept, prompt);
      expect(cached).toBe(restorable);
      expect(logits).toEqual(before);
      expect(played.undisturbed(prompt)).toEqual(before);
    });

    it('gives the same logits in another context, as another sequence', async () => {
      const kept = await pool({ capacityBytes });
      const prompt = someTokens(promptTokens, seed() + 1);
      const before = new Played({ kvType }).keep(kept, prompt);
      const other = new Played({ kvType, sequences: 4, contextTokens: 256 });
      const { cached, logits } = await other.goOn(kept, prompt, 3);
      expect(cached).toBe(restorable);
      expect(logits).toEqual(before);
    });

    it('is what a prompt with the same beginning goes on from', async () => {
      const kept = await pool({ capacityBytes });
      const played = new Played({ kvType });
      const prompt = someTokens(promptTokens, seed() + 2);
      played.keep(kept, prompt);
      const other = Int32Array.from([...prompt.subarray(0, 150), ...someTokens(40, seed() + 3)]);
      const { cached, logits } = await played.goOn(kept, other);
      expect(cached).toBe(128);
      expect(logits).toEqual(played.undisturbed(other));
    });
  });

  it('is cut rightly whatever order the cells of the context are in', async () => {
    const [kept, again] = [await pool({ capacityBytes }), await pool({ capacityBytes })];
    const played = new Played({ sequences: 3 });
    const [first, prompt] = [someTokens(100, seed() + 4), someTokens(promptTokens, seed() + 5)];
    // A sequence that goes leaves cells before those of the one that stays.
    played.prefill(1, first, 0);
    played.prefill(0, prompt.subarray(0, 64), 0);
    played.context.remove(1);
    played.prefill(0, prompt, 64);
    const cells = parseState(played.stateOf(0))?.cells as Int32Array;
    expect(cells.some((cell, position) => cell !== position)).toBe(true);
    played.write(kept, 0, prompt);
    played.context.remove(0);
    // Loaded into an empty context they lie in order; cut once more, they are the same blocks.
    const keeper = played.keeper(kept);
    expect(await keeper.restore(played.context, 1, '', prompt, 64)).toBe(restorable);
    const whole = prompt.subarray(0, restorable);
    // Keys of the first layer depend on their token and position alone.
    const alone = await pool({ capacityBytes });
    played.context.remove(2);
    played.prefill(2, whole, 0);
    played.write(alone, 2, whole);
    const firstKeys = (from: Pool, name: string): Buffer | undefined =>
      read(from, name, rowsPart)?.subarray(
        blockHeadBytes,
        blockHeadBytes + blockTokens * (played.shape.rowBytes[0] as number),
      );
    played.write(again, 1, whole);
    const { keys } = keeper.identityOf('', whole);
    for (let block = 0; block < restorable / blockTokens; block++) {
      const name = nameOf(keys, block);
      expect(read(again, name, rowsPart)?.equals(read(kept, name, rowsPart) as Buffer)).toBe(true);
      expect(firstKeys(alone, name)?.equals(firstKeys(kept, name) as Buffer)).toBe(true);
    }
  });

  it('is written once for what sequences share', async () => {
    const kept = await pool({ capacityBytes });
    const played = new Played();
    const shared = someTokens(64, seed() + 6);
    played.keep(kept, Int32Array.from([...shared, ...someTokens(30, seed() + 7)]));
    const before = played.counters.read('blocksWritten');
    played.keep(kept, Int32Array.from([...shared, ...someTokens(30, seed() + 8)]));
    expect(played.counters.read('blocksShared')).toBe(4);
    expect(played.counters.read('blocksWritten')).toBe(2 * before - 4);
  });

  it('is not found by another tenant, another model, another type of state', async () => {
    const kept = await pool({ capacityBytes });
    const played = new Played();
    const prompt = someTokens(promptTokens, seed() + 9);
    const expected = played.keep(kept, prompt, 'a');
    expect((await played.goOn(kept, prompt, 0, 'b')).cached).toBe(0);
    expect((await played.goOn(kept, prompt, 0, 'a')).cached).toBe(restorable);
    expect((await new Played({ kvType: 'q8_0' }).goOn(kept, prompt, 0, 'a')).cached).toBe(0);
    const other = new Played({}, smallModel(2));
    other.keeper(kept, 'e');
    const { cached, logits } = await other.goOn(kept, prompt, 0, 'a');
    expect(cached).toBe(0);
    expect(logits).not.toEqual(expected);
    expect(logits).toEqual(other.undisturbed(prompt));
  });

  it('without flash attention cannot be cut, and is not', () => {
    expect(new Played({ flashAttention: false }).shape.tokenBytes).toBe(0);
  });
});
