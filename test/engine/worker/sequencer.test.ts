/** Requests in an instance. */

import { describe, expect, it, onTestFinished } from 'vitest';
import type { FromInstance } from '../../../src/engine/worker/protocol.ts';
import { Sequencer } from '../../../src/engine/worker/sequencer.ts';
import type { Pool } from '../../../src/pool/api.ts';
import { until } from '../../support/until.ts';
import { missingEngine, someTokens } from '../support/models.ts';
import { Played } from '../support/played.ts';
import { workOf } from '../support/work.ts';

const answerTokens = 4;

/** A pool whose disk has what is asked for first, and takes its time. */
class SlowPool {
  readonly hasDisk = true;
  isSlow = true;
  readonly #waiting: (() => void)[] = [];

  get(): undefined {
    return undefined;
  }

  has(): boolean {
    return true;
  }

  load(): Promise<undefined> {
    if (!this.isSlow) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting.push(() => resolve(undefined)));
  }

  /** The disk says that it has nothing, now and later. */
  answer(): void {
    this.isSlow = false;
    for (const answer of this.#waiting.splice(0)) answer();
  }
}

describe.skipIf(missingEngine() !== undefined)(
  'a request whose state is on its way from the disk',
  () => {
    function world(): { sequencer: Sequencer; slow: SlowPool; said: string[] } {
      const played = new Played({ sequences: 1 });
      const slow = new SlowPool();
      const said: string[] = [];
      const sequencer = new Sequencer({
        model: played.model,
        context: played.context,
        keeper: played.keeper(slow as unknown as Pool),
        counters: played.counters,
        post: (message: FromInstance) => {
          if (message.type === 'done') said.push(`done ${message.id}`);
          if (message.type === 'failed') said.push(`${message.failure.code} ${message.id}`);
        },
        wake: () => undefined,
        nowMs: () => 0,
      });
      onTestFinished(() => sequencer.close());
      return { sequencer, slow, said };
    }

    it('holds nobody up', async () => {
      const { sequencer, slow, said } = world();
      void sequencer.start(1, workOf({ tokens: someTokens(40, 1) }, answerTokens));
      slow.isSlow = false;
      void sequencer.start(2, workOf({ tokens: someTokens(40, 2) }, answerTokens));
      await until(() => said.length > 0);
      expect(said).toEqual(['done 2']);
      slow.answer();
      await until(() => said.length > 1);
      expect(said).toEqual(['done 2', 'done 1']);
      await until(() => sequencer.isSettled);
    });

    it('can be cancelled', async () => {
      const { sequencer, slow, said } = world();
      void sequencer.start(1, workOf({ tokens: someTokens(40, 1) }, answerTokens));
      sequencer.cancel(1);
      slow.answer();
      await until(() => said.length > 0);
      expect(said).toEqual(['aborted 1']);
      expect(sequencer.isSettled).toBe(true);
    });
  },
);

describe.skipIf(missingEngine() !== undefined)('prompts that come at once', () => {
  /** @returns digests of all logits of each answer, and how many batches the prompts took */
  async function answers(
    prompts: readonly Int32Array[],
    sequences: number,
  ): Promise<{ digests: (string | undefined)[]; batches: number }> {
    const played = new Played({ sequences });
    const digests: (string | undefined)[] = prompts.map(() => undefined);
    let ended = 0;
    const sequencer = new Sequencer({
      model: played.model,
      context: played.context,
      keeper: undefined,
      counters: played.counters,
      post(message: FromInstance) {
        if (message.type === 'done') digests[message.id] = message.result.logitsDigest;
        if (message.type === 'done' || message.type === 'failed') ended += 1;
      },
      wake: () => undefined,
      nowMs: () => 0,
    });
    const asked = prompts.map((tokens, id) =>
      sequencer.start(id, { ...workOf({ tokens }, answerTokens), logitsDigest: true }),
    );
    await until(() => ended === prompts.length);
    await Promise.all(asked);
    await sequencer.close();
    return { digests, batches: played.counters.read('promptBatches') };
  }

  it('are computed two and two where their pieces are of one length, and come to the same', async () => {
    const lengths = [128, 128, 100, 70];
    const prompts = lengths.map((length, seed) => someTokens(length, seed));
    const alone = await answers(prompts, 1);
    expect(alone.batches).toBe(8);
    const together = await answers(prompts, 4);
    expect(together.batches).toBe(5);
    expect(together.digests).toEqual(alone.digests);
    expect(new Set(alone.digests).size).toBe(prompts.length);
  });

  it('are computed as many together as there is room for where they are short', async () => {
    const prompts = [16, 16, 16, 16].map((length, index) => someTokens(length, index));
    const alone = await answers(prompts, 1);
    const together = await answers(prompts, 4);
    expect([alone.batches, together.batches]).toEqual([4, 1]);
    expect(together.digests).toEqual(alone.digests);
  });
});
