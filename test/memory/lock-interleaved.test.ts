/**
 * Two words that must be equal are changed under a lock. Between any two memory accesses of one owner another does something whole, or the owner
 * dies there: nothing is lost, nothing is changed by two at once, and nobody but an heir finds the words unequal.
 */

import assert from 'node:assert/strict';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { lock, tokenOf, unlock } from '../../src/memory/lock.ts';
import type { LockOutcome, LockWait } from '../../src/memory/lock.ts';
import { load, store } from '../../src/memory/words.ts';
import { accessCount, armCrash, Crash, disarm, interrupt } from '../support/instrumented-words.ts';
import { playedWait } from './support/played-wait.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

afterEach(disarm);

const lockAt = 0;
const leftAt = 1;
const rightAt = 2;

class Owner {
  readonly token: number;
  readonly #words: Int32Array;
  readonly #wait: LockWait;
  /** What `lock` said, call by call. */
  readonly outcomes: LockOutcome[] = [];
  alive = true;

  constructor(words: Int32Array, slot: number, everyone: Owner[], waitMs = 0) {
    this.token = tokenOf(slot, 1);
    this.#words = words;
    everyone.push(this);
    this.#wait = playedWait({
      waitMs,
      lives: (token) => everyone.some((each) => each.token === token && each.alive),
    }).wait;
  }

  take(): LockOutcome {
    const outcome = lock(this.#words, lockAt, this.token, this.#wait);
    this.outcomes.push(outcome);
    return outcome;
  }

  /** Adds one to both words, if it gets the lock. */
  add(): void {
    const words = this.#words;
    const outcome = this.take();
    if (outcome === 'busy') return;
    if (outcome === 'inherited') store(words, rightAt, load(words, leftAt));
    const [left, right] = [load(words, leftAt), load(words, rightAt)];
    assert.equal(left, right);
    store(words, leftAt, left + 1);
    store(words, rightAt, right + 1);
    unlock(words, lockAt);
  }

  /** Adds one, or dies at access `k`. @returns true when it died */
  addUntil(k: number): boolean {
    armCrash(k);
    try {
      this.add();
      return false;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.alive = false;
      return true;
    } finally {
      disarm();
    }
  }
}

interface Stage {
  readonly words: Int32Array;
  readonly one: Owner;
  readonly two: Owner;
  readonly three: Owner;
  /** How often the words were added to, by those who got the lock. */
  readonly added: () => number;
}

function stage(): Stage {
  const words = new Int32Array(4);
  const everyone: Owner[] = [];
  const [one, two, three] = [0, 1, 2].map((slot) => new Owner(words, slot, everyone));
  const owners = [one as Owner, two as Owner, three as Owner] as const;
  const added = (): number =>
    owners.flatMap((each) => each.outcomes).filter((outcome) => outcome !== 'busy').length;
  return { words, one: owners[0], two: owners[1], three: owners[2], added };
}

/** Runs `step` once for every k until it no longer makes k accesses. @returns how many it made */
function atEvery(step: (k: number) => boolean): number {
  for (let k = 1; ; k += 1) if (!step(k)) return k - 1;
}

describe('an owner who is interrupted at any access', () => {
  it('and another, who does not wait, add each time that they got the lock', () => {
    const seen = new Set<string>();
    const accesses = atEvery((k) => {
      const { words, one, two, added } = stage();
      interrupt(k, () => two.add());
      one.add();
      const reached = accessCount() >= k;
      disarm();
      seen.add([...one.outcomes, ...two.outcomes].join(' '));
      expect([...words]).toEqual([0, added(), added(), 0]);
      return reached;
    });
    expect(accesses).toBe(7); // load, compareExchange, two loads, two stores, the store that unlocks
    expect([...seen]).toEqual(['taken taken', 'taken busy', 'taken']);
  });

  it('never gets a lock that the other took and keeps', () => {
    atEvery((k) => {
      const { words, one, two } = stage();
      interrupt(k, () => two.take());
      const outcome = one.take();
      const reached = accessCount() >= k;
      disarm();
      expect([outcome === 'taken', two.outcomes[0] === 'taken'].filter(Boolean).length).toBe(1);
      expect(words[lockAt]).toBe(outcome === 'taken' ? one.token : two.token);
      return reached;
    });
  });
});

describe('an owner who dies at any access', () => {
  it('leaves the lock to one heir, who repairs', () => {
    const seen = new Set<string>();
    atEvery((k) => {
      const { words, one, two, three } = stage();
      const died = one.addUntil(k);
      const inHand = words[lockAt] === one.token;
      expect(inHand || words[leftAt] === words[rightAt]).toBe(true);
      two.add();
      expect(two.outcomes).toEqual([inHand ? 'inherited' : 'taken']);
      three.add();
      expect(three.outcomes).toEqual(['taken']);
      expect(words[leftAt]).toBe(words[rightAt]);
      expect(words[leftAt]).toBeOneOf([2, 3]);
      seen.add(String(two.outcomes));
      return died;
    });
    expect([...seen]).toEqual(['taken', 'inherited']);
  });

  it('as the heir of another leaves it to the next', () => {
    atEvery((first) => {
      let died = false;
      atEvery((second) => {
        const { words, one, two, three } = stage();
        died = one.addUntil(first);
        const againDied = two.addUntil(second);
        three.add();
        expect(three.outcomes).not.toContain('busy');
        expect([words[lockAt], words[leftAt]]).toEqual([0, words[rightAt]]);
        return againDied;
      });
      return died;
    });
  });
});

describe('two heirs of one lock', () => {
  /** A lock that owner three died with, its words unequal. */
  function orphaned(): Stage {
    const all = stage();
    expect(all.three.addUntil(6)).toBe(true);
    expect([...all.words]).toEqual([all.three.token, 1, 0, 0]);
    return all;
  }

  it('inherit it once, whoever is interrupted where', () => {
    const seen = new Set<string>();
    atEvery((k) => {
      const { words, one, two } = orphaned();
      interrupt(k, () => two.add());
      one.add();
      const reached = accessCount() >= k;
      disarm();
      const outcomes = [...one.outcomes, ...two.outcomes];
      expect(outcomes.filter((outcome) => outcome === 'inherited').length).toBe(1);
      const added = 1 + outcomes.filter((outcome) => outcome !== 'busy').length;
      expect([...words]).toEqual([0, added, added, 0]);
      seen.add(outcomes.join(' '));
      return reached;
    });
    expect(seen).toContain('taken inherited');
    expect(seen).toContain('inherited busy');
  });

  it('do not both have it when the second keeps it', () => {
    atEvery((k) => {
      const { words, one, two } = orphaned();
      interrupt(k, () => two.take());
      const outcome = one.take();
      const reached = accessCount() >= k;
      disarm();
      const heirs = [outcome, ...two.outcomes].filter((each) => each !== 'busy');
      expect(heirs).toEqual(['inherited']);
      expect(words[lockAt]).toBe(outcome === 'inherited' ? one.token : two.token);
      return reached;
    });
  });
});
