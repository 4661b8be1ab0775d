/** Requests that are cancelled while their state is on its way from the disk. */

import { describe, expect, it } from 'vitest';
import type { FromInstance, Work } from '../../../src/engine/worker/protocol.ts';
import { Sequencer } from '../../../src/engine/worker/sequencer.ts';
import type { Lease, Pool } from '../../../src/pool/api.ts';
import { missingEngine, someTokens } from '../support/models.ts';
import { Played } from '../support/played.ts';

function workOf(tokens: Int32Array, maxTokens = 4): Work {
  return {
    prompt: { tokens },
    maxTokens,
    temperature: 0,
    topP: 1,
    topK: 0,
    seed: 0,
    stop: [],
    ignoreEnd: true,
    tenant: '',
    logitsDigest: false,
  };
}

/** A pool with nothing in it whose disk takes its time. */
class SlowPool {
  readonly hasDisk = true;
  readonly #waiting: ((lease: Lease | undefined) => void)[] = [];

  get(): undefined {
    return undefined;
  }

  has(): boolean {
    return true;
  }

  load(): Promise<Lease | undefined> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The disk says that it has nothing. */
  async answer(): Promise<void> {
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe.skipIf(missingEngine() !== undefined)('a sequence', () => {
  function world(): { sequencer: Sequencer; slow: SlowPool; said: string[]; run: () => void } {
    const played = new Played({ sequences: 1 });
    const slow = new SlowPool();
    const said: string[] = [];
    const sequencer = new Sequencer({
      model: played.model,
      context: played.context,
      keeper: played.keeper(slow as unknown as Pool),
      counters: played.counters,
      post: (message: FromInstance) => {
        if (message.type === 'done' || message.type === 'failed') {
          said.push(`${message.type} ${message.id}`);
        }
      },
      wake: () => undefined,
      nowMs: () => 0,
    });
    const run = (): void => {
      while (sequencer.step());
    };
    return { sequencer, slow, said, run };
  }

  it('is taken by the next only when its state has come and was put away', async () => {
    const { sequencer, slow, said, run } = world();
    void sequencer.start(1, workOf(someTokens(40, 1)));
    sequencer.cancel(1);
    void sequencer.start(2, workOf(someTokens(40, 2)));
    run();
    expect(said).toEqual([]);
    expect(sequencer.isIdle).toBe(false);
    await slow.answer();
    // The first one is over; the second one asks the disk now.
    await slow.answer();
    run();
    expect(said).toEqual(['done 2']);
    expect(sequencer.isIdle).toBe(true);
  });

  it('is not taken by one that was cancelled while it waited', async () => {
    const { sequencer, slow, said, run } = world();
    void sequencer.start(1, workOf(someTokens(40, 1)));
    void sequencer.start(2, workOf(someTokens(40, 2)));
    sequencer.cancel(2);
    await slow.answer();
    run();
    expect(said).toEqual(['done 1']);
    expect(sequencer.isIdle).toBe(true);
  });

  it('that all gave up is idle when the last state has come', async () => {
    const { sequencer, slow, said, run } = world();
    void sequencer.start(1, workOf(someTokens(40, 1)));
    void sequencer.start(2, workOf(someTokens(40, 2)));
    sequencer.cancelAll();
    expect(sequencer.isIdle).toBe(false);
    await slow.answer();
    run();
    expect(said).toEqual([]);
    expect(sequencer.isIdle).toBe(true);
  });
});
