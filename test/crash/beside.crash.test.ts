/**
 * Every operation of a pool, killed at each of its memory accesses while another owner has the pool open: that one reads on, keeps what it
 * leased and what it is about to write, and with its next change takes over what the dead left.
 */

import assert from 'node:assert/strict';
import { afterAll, describe, it, vi } from 'vitest';
import type { Draft, Lease } from '../../src/pool/api.ts';
import type { OwnedPool } from '../support/owned-memory.ts';
import { abandon } from '../support/owned-memory.ts';
import { dies, Trial, visitAccesses } from './harness.ts';
import { scenarios } from './scenarios.ts';
import { pattern } from './steps.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

const ci = process.env['CI'] === 'true';
/** Crashes per operation. */
const pointsMax = ci ? 150 : 25;
const emptyEvery = 4;

const covered: string[] = [];

afterAll(() => {
  process.stdout.write(`killed beside another owner at accesses of\n${covered.join('\n')}\n`);
});

/** What the other owner has begun before, and goes on with afterwards. */
class Neighbour {
  readonly #owned: OwnedPool;
  readonly #lease: Lease | undefined;
  readonly #draft: Draft;
  readonly #seen: Buffer;

  constructor(owned: OwnedPool) {
    this.#owned = owned;
    this.#lease = owned.pool.get('by-1', 'kv');
    this.#seen = this.#bytes();
    this.#draft = owned.pool.beginPut('neighbour', 'p', 3000);
    this.#draft.write(pattern('neighbour', 3000));
  }

  /** Before anything is taken over: reading needs nothing of the dead. */
  readsOn(): void {
    assert(this.#bytes().equals(this.#seen));
    this.#owned.pool.get('by-1', 'tokens')?.release();
  }

  /** Ends what was begun: the memory of the draft was nobody else's meanwhile. */
  end(): void {
    const { pool } = this.#owned;
    this.#draft.commit();
    assert(this.#bytes().equals(this.#seen));
    const lease = pool.get('neighbour', 'p');
    assert(Buffer.from(lease?.data as Uint8Array).equals(Buffer.from(pattern('neighbour', 3000))));
    lease?.release();
    pool.delete('neighbour');
    pool.sweepExpired();
  }

  /** What it leases goes, and much is written: where its lease is forgotten, over it. */
  holdsOn(): void {
    const { pool } = this.#owned;
    pool.delete('by-1');
    for (let i = 0; i < 12; i++) pool.put('neighbour', `${i}`, pattern('other', 10_000));
    assert(this.#bytes().equals(this.#seen), 'a lease was forgotten');
    this.#lease?.release();
  }

  #bytes(): Buffer {
    return Buffer.from((this.#lease?.data as Uint8Array | undefined) ?? new Uint8Array(0));
  }
}

/** Operations whose dead leave most to be done, and where in them the first one dies. */
const wrecks = [
  'put with tags',
  'put, replacing with a long key',
  'put, replacing what is leased',
  'delete a context',
  'ten puts while the index grows',
  'put that adds entries',
];
const shares = ci ? [0.3, 0.5, 0.7, 0.9] : [0.6, 0.9];

describe('an heir, killed at every access of what it takes over', () => {
  for (const name of wrecks) {
    it(`after ${name}`, () => {
      const scenario = scenarios.find((each) => each.name === name);
      assert(scenario !== undefined);
      const trial = new Trial(scenario);
      for (const share of shares) {
        const first = Math.ceil(share * trial.accesses);
        const heal = ({ pool }: OwnedPool): void => void pool.sweepExpired();
        const unharmed = trial.crashBeside(first, () => void new Neighbour(trial.another()));
        const accesses = trial.accessesIn(() => heal(unharmed));
        const points = visitAccesses(
          accesses,
          pointsMax,
          (k) => {
            let third: OwnedPool | undefined;
            let neighbour: Neighbour | undefined;
            const heir = trial.crashBeside(first, () => {
              third = trial.another();
              neighbour = new Neighbour(third);
            });
            assert(dies(k, () => heal(heir)) || k === accesses.at(-1));
            abandon(trial.memory, heir.store.region.ownerSlot);
            neighbour?.readsOn();
            neighbour?.end();
            trial.verifyIn(third as OwnedPool, false);
            neighbour?.holdsOn();
          },
          `first at ${first} of ${trial.accesses}, its heir `,
        );
        covered.push(`  heir, after ${name.padEnd(34)} ${points} of ${accesses.at(-1)}`);
      }
    });
  }
});

describe('killed beside another owner at every access', () => {
  for (const scenario of scenarios) {
    it(scenario.name, () => {
      const trial = new Trial(scenario);
      const accesses = trial.accessesBeside((owned) => void new Neighbour(owned));
      const points = visitAccesses(accesses, pointsMax, (k, nth) => {
        let neighbour: Neighbour | undefined;
        const other = trial.crashBeside(k, (owned) => (neighbour = new Neighbour(owned)));
        neighbour?.readsOn();
        neighbour?.end();
        trial.verifyIn(other, false);
        neighbour?.holdsOn();
        if (nth % emptyEvery === 0) trial.expectNothingLeft(other);
      });
      covered.push(`  ${scenario.name.padEnd(46)} ${points} of ${accesses.at(-1)}`);
    });
  }
});
