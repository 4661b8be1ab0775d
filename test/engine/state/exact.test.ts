/** State that comes back from a pool is what was put there: 64 steps of logits are the same to the last bit. */

import { describe, expect, it } from 'vitest';
import type { KvType } from '../../../src/engine/api.ts';
import { parseState } from '../../../src/engine/state/rows.ts';
import { mib, pool } from '../../pool/support/pools.ts';
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
      const other = new Played({ kvType, sequences: 4, contextTokens: 320 });
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

  it('has its cells in the order of its tokens, whoever was there before', async () => {
    const kept = await pool({ capacityBytes });
    const played = new Played({ sequences: 3 });
    const [first, prompt] = [someTokens(100, seed() + 4), someTokens(promptTokens, seed() + 5)];
    const inOrder = { shape: played.shape, tokens: promptTokens };
    // Behind the cells, which name their sequence.
    const rowsIn = (sequence: number): Uint8Array =>
      played.stateOf(sequence).subarray(16 + 12 * promptTokens);
    played.prefill(1, first, 0);
    played.prefill(0, prompt.subarray(0, 64), 0);
    played.context.remove(1);
    played.prefill(0, prompt, 64);
    expect(parseState(played.stateOf(0))).toEqual(inOrder);
    played.write(kept, 0, prompt);
    const rows = rowsIn(0);
    played.context.remove(0);
    played.prefill(0, first, 0);
    played.context.remove(0, 50);
    expect(await played.keeper(kept).restore(played.context, 1, '', prompt, 64)).toBe(restorable);
    played.prefill(1, prompt, restorable);
    expect(parseState(played.stateOf(1))).toEqual(inOrder);
    played.context.remove(0);
    played.context.remove(2);
    played.prefill(2, prompt, 0);
    expect(rowsIn(1)).toEqual(rows);
    expect(rowsIn(2)).toEqual(rows);
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
