/**
 * Several processes write to one pool, each of them is killed at a random point of its load, and the others go on, and a thread that has the
 * pool open all the while reads: every write that any of them acknowledged is there, also those to a part that all of them append to.
 */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import type { Pool } from '../../src/pool/api.ts';
import { rounds, seed } from '../support/seed.ts';
import {
  after,
  apply,
  isIn,
  liveAndDie,
  type Operation,
  randomOperation,
  type State,
} from './support/loads.ts';
import { expectSound, freshPath, mib, pool, read } from './support/pools.ts';

const lives = rounds(10, 40);
const writers = 3;
const operationsPerLife = 2000;
const sizes = { capacityBytes: 128 * mib, segmentBytes: 8 * mib };
/** One in so many operations appends to the part of all. */
const sharedEvery = 4;

/** What one writer did, over its lives. */
class Load {
  readonly #number: number;
  readonly #random: Random;
  readonly #file: string;
  /** Of its own contexts. */
  #state: State = new Map();
  /** Numbers of its records in the part of all: acknowledged ones, and the last one of a life that may be there too. */
  readonly #acknowledged = new Set<number>();
  readonly #unfinished = new Set<number>();
  #records = 0;
  #interrupted: Operation | undefined;
  operations = 0;

  constructor(number: number, folder: string) {
    this.#number = number;
    this.#random = new Random(seed() + number);
    this.#file = join(folder, `operations-${number}.json`);
  }

  get #prefix(): string {
    return `w${this.#number}-`;
  }

  #operation(): Operation {
    if (this.#random.below(sharedEvery) > 0) return randomOperation(this.#random, this.#prefix);
    const words = [this.#number, this.#records++];
    return { name: 'append', id: 'shared', part: 'log', sizeBytes: 8, fill: 0, words };
  }

  /** One life. */
  async live(path: string): Promise<void> {
    const operations = Array.from({ length: operationsPerLife }, () => this.#operation());
    writeFileSync(this.#file, JSON.stringify({ ...sizes, operations }));
    const lifetime = 1 + this.#random.below(operationsPerLife / 2);
    const answers = await liveAndDie(path, this.#file, lifetime);
    for (const [i, answer] of answers.entries()) {
      const operation = operations[i] as Operation;
      if (operation.words === undefined) apply(this.#state, operation, answer);
      else this.#acknowledged.add(operation.words[1] as number);
    }
    this.operations += answers.length;
    this.#interrupted = operations[answers.length];
    const { words } = this.#interrupted ?? {};
    if (words !== undefined) this.#unfinished.add(words[1] as number);
  }

  /** Expects what was acknowledged, and at most what was under way beside it. @param records its own, in the order of the part */
  verify(of: Pool, records: readonly number[]): void {
    const interrupted = this.#interrupted;
    const isOwn = interrupted !== undefined && interrupted.words === undefined;
    const other = isOwn ? after(this.#state, interrupted) : this.#state;
    const isOld = isIn(of, this.#state, this.#prefix);
    assert(isOld || isIn(of, other, this.#prefix), `writer ${this.#number}`);
    if (!isOld) this.#state = other;
    const rising = records.every((record, i) => i === 0 || record > (records[i - 1] as number));
    assert(rising, 'records out of order, or twice');
    const found = new Set(records);
    for (const record of this.#acknowledged) assert(found.has(record), `record ${record} is lost`);
    for (const record of records) {
      assert(this.#acknowledged.has(record) || this.#unfinished.has(record), `record ${record}`);
    }
  }
}

/** Numbers of the records of one writer in the part of all. */
function recordsOf(of: Pool, writer: number): number[] {
  const bytes = read(of, 'shared', 'log') ?? Buffer.alloc(0);
  assert.equal(bytes.length % 8, 0);
  const words = new Uint32Array(Uint8Array.from(bytes).buffer);
  const numbers: number[] = [];
  for (let i = 0; i < words.length; i += 2) {
    if (words[i] === writer) numbers.push(words[i + 1] as number);
  }
  return numbers;
}

describe('a pool that several processes write', () => {
  it(`holds what each acknowledged, ${lives * writers} kills`, async () => {
    const path = freshPath();
    const of = await pool({ path, ...sizes });
    const loads = Array.from({ length: writers }, (_, n) => new Load(n, dirname(path)));
    for (let life = 0; life < lives; life++) {
      await Promise.all(loads.map((load) => load.live(path)));
      of.sweepExpired();
      for (const [n, load] of loads.entries()) load.verify(of, recordsOf(of, n));
      expectSound(of);
      expect(of.stats()).toMatchObject({ ownersAlive: 1, retiredParts: 0 });
    }
    const operations = loads.reduce((sum, load) => sum + load.operations, 0);
    process.stdout.write(`  ${lives * writers} kills, ${operations} acknowledged operations\n`);
  });
});
