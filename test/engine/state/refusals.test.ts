/** Blocks that are not what they should be are found out, counted, removed and computed again: the answer is always the right one. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import { type Refusal, refusals } from '../../../src/engine/api.ts';
import { blockTokens, refusalOf } from '../../../src/engine/state/block.ts';
import { nameOf } from '../../../src/engine/state/keys.ts';
import { rowsPart } from '../../../src/engine/state/restore.ts';
import type { Pool } from '../../../src/pool/api.ts';
import { mib, pool, read } from '../../pool/support/pools.ts';
import { rounds, seed } from '../../support/seed.ts';
import { missingEngine, smallModel, someTokens } from '../support/models.ts';
import { Played } from '../support/played.ts';

const promptTokens = 200;
const bad = 6;

function counted(played: Played): Partial<Record<Refusal, number>> {
  const rows = refusals.map((reason) => [reason, played.counters.readRefused(reason)] as const);
  return Object.fromEntries(rows.filter(([, count]) => count > 0));
}

describe.skipIf(missingEngine() !== undefined)('a block', () => {
  let kept: Pool;
  let played: Played;
  let prompt: Int32Array;
  let expected: string[];
  let names: string[];

  beforeEach(async () => {
    kept = await pool({ capacityBytes: 32 * mib });
    played = new Played();
    prompt = someTokens(promptTokens, seed());
    expected = played.keep(kept, prompt);
    const { keys } = played.keeper(kept).identityOf('', prompt);
    names = Array.from({ length: promptTokens / blockTokens - 1 }, (_, block) =>
      nameOf(keys, block),
    );
  });

  function bytesAt(block: number): Uint8Array {
    return Uint8Array.from(read(kept, names[block] as string, rowsPart) ?? []);
  }

  function plant(bytes: Uint8Array | string): void {
    kept.put(names[bad] as string, rowsPart, bytes, { kind: 'attention' });
  }

  /** Everything before the bad block is used, and the answer is the same. */
  async function expectRefused(reason: Refusal): Promise<void> {
    const { cached, logits } = await played.goOn(kept, prompt);
    expect(cached).toBe(64);
    expect(logits).toEqual(expected);
    expect(counted(played)).toEqual({ [reason]: 1 });
    expect(kept.has(names[bad] as string)).toBe(false);
    // Written anew, it is used again.
    played.keep(kept, prompt);
    expect((await played.goOn(kept, prompt)).cached).toBe(192);
  }

  it.each(['head', 'rows', 'last byte'])(
    'with a changed bit in its %s is refused',
    async (where) => {
      const bytes = bytesAt(bad);
      const at = { head: 60, rows: 1000, 'last byte': bytes.length - 1 }[where] as number;
      bytes[at] = (bytes[at] as number) ^ 1;
      plant(bytes);
      await expectRefused('checksum');
    },
  );

  it('that is too short is refused', async () => {
    plant(bytesAt(bad).subarray(0, 1000));
    await expectRefused('truncated');
  });

  it('that is empty is refused', async () => {
    plant(new Uint8Array(0));
    await expectRefused('truncated');
  });

  it('that is too long is refused', async () => {
    plant(Uint8Array.from([...bytesAt(bad), 0]));
    await expectRefused('truncated');
  });

  it('that is another one of the same sequence is refused', async () => {
    plant(bytesAt(bad + 1));
    await expectRefused('foreign');
  });

  it('of another tenant under this name is refused', async () => {
    const { keys } = played.keeper(kept).identityOf('b', prompt);
    played.keep(kept, prompt, 'b');
    plant(Uint8Array.from(read(kept, nameOf(keys, bad), rowsPart) ?? []));
    await expectRefused('foreign');
  });

  it('of another model under this name is refused', async () => {
    const other = new Played({}, smallModel(2));
    const elsewhere = await pool({ capacityBytes: 32 * mib });
    const { keys } = other.keeper(elsewhere, 'e').identityOf('', prompt);
    other.keep(elsewhere, prompt);
    plant(Uint8Array.from(read(elsewhere, nameOf(keys, bad), rowsPart) ?? []));
    await expectRefused('fingerprint');
  });

  it('that is text is refused', async () => {
    plant('x'.repeat(bytesAt(bad).length));
    await expectRefused('foreign');
  });

  it('that has gone ends the chain, and nothing is counted', async () => {
    kept.delete(names[bad] as string);
    const { cached, logits } = await played.goOn(kept, prompt);
    expect(cached).toBe(64);
    expect(logits).toEqual(expected);
    expect(counted(played)).toEqual({});
  });

  it('that is damaged is written anew by the next request, and all that follow it, which nobody has looked at', async () => {
    const tokens = played.answer(0, prompt, played.prefill(0, prompt, 0)).tokens;
    played.context.remove(0);
    const identity = played.keeper(kept).identityOf('', tokens);
    const last = tokens.length / blockTokens - 1;
    const spoilt = [bad, bad + 1, 10, Math.floor(last)];
    for (const block of spoilt) {
      const name = nameOf(identity.keys, block);
      const bytes = Uint8Array.from(read(kept, name, rowsPart) ?? []);
      bytes[500] = (bytes[500] as number) ^ 1;
      kept.put(name, rowsPart, bytes, { kind: 'attention' });
    }
    expect((await played.goOn(kept, prompt)).cached).toBe(64);
    expect(counted(played)).toEqual({ checksum: 1 });
    played.keep(kept, prompt);
    for (let block = 0; block <= last; block++) {
      const bytes = Uint8Array.from(read(kept, nameOf(identity.keys, block), rowsPart) ?? []);
      expect(refusalOf(bytes, identity, block), `block ${block}`).toBeUndefined();
    }
    const { cached, logits } = await played.goOn(kept, prompt);
    expect(cached).toBe(192);
    expect(logits).toEqual(expected);
    expect(counted(played)).toEqual({ checksum: 1 });
    // Once: what is good is not written again.
    const written = played.counters.read('blocksWritten');
    played.keep(kept, prompt);
    expect(played.counters.read('blocksWritten')).toBe(written);
  });

  it('is refused whichever byte is changed', () => {
    const identity = played.keeper(kept).identityOf('', prompt);
    const bytes = bytesAt(bad);
    expect(refusalOf(bytes, identity, bad)).toBeUndefined();
    const random = new Random(seed());
    for (let round = 0; round < rounds(500, 5000); round++) {
      const at = round < 128 ? round : random.below(bytes.length);
      const before = bytes[at] as number;
      bytes[at] = before ^ (1 + random.below(255));
      expect(refusalOf(bytes, identity, bad), `byte ${at}`).toBeDefined();
      bytes[at] = before;
    }
  });
});
