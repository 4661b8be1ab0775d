/**
 * From a context into the pool, after the answer: a copy of the sequence's state waits in a queue of bounded bytes and goes to the pool block by block,
 * between steps of other sequences. What does not fit into the queue is not kept: it can be computed again.
 */

import { hasCode } from '../../errors.ts';
import type { Pool } from '../../pool/api.ts';
import type { LlamaContext } from '../llama/context.ts';
import { type BlockIdentity, blockBytes, blockTokens, headOf, rowsOf } from './block.ts';
import type { Counters } from './counters.ts';
import type { DamagedBlocks } from './damaged-blocks.ts';
import { nameOf } from './keys.ts';
import { isUnavailable, rowsPart } from './restore.ts';
import { areAlike, parseState, rowOffsets } from './rows.ts';

interface Job {
  readonly identity: BlockIdentity;
  readonly state: Uint8Array;
  readonly offsets: readonly number[];
  /** Blocks to write, the last one first. */
  readonly missing: number[];
  /** From this block on they replace what is there. */
  readonly replaceFrom: number;
}

export class StateWriter {
  readonly #pool: Pool;
  readonly #queueBytes: number;
  readonly #counters: Counters;
  readonly #damaged: DamagedBlocks;
  readonly #jobs: Job[] = [];
  #waitingBytes = 0;

  constructor(pool: Pool, queueBytes: number, counters: Counters, damaged: DamagedBlocks) {
    this.#damaged = damaged;
    this.#pool = pool;
    this.#queueBytes = queueBytes;
    this.#counters = counters;
  }

  get isEmpty(): boolean {
    return this.#jobs.length === 0;
  }

  /** Takes the state of a sequence whose `identity.tokens` have been computed. The sequence may go afterwards. */
  take(context: LlamaContext, sequence: number, identity: BlockIdentity): void {
    const blocks = Math.floor(identity.tokens.length / blockTokens);
    const replaceFrom = this.#damaged.firstOf(identity.keys, blocks);
    const missing: number[] = [];
    for (let block = blocks - 1; block >= 0; block--) {
      if (block >= replaceFrom || !this.#has(nameOf(identity.keys, block))) missing.push(block);
    }
    this.#counters.add('blocksShared', blocks - missing.length);
    if (missing.length === 0) return;
    const bytes = context.stateBytes(sequence);
    if (this.#waitingBytes + bytes > this.#queueBytes) {
      this.#counters.add('blocksDropped', missing.length);
      return;
    }
    const state = context.saveState(sequence);
    const parsed = state && parseState(state);
    const { tokens, shape } = identity;
    if (!state || parsed?.tokens !== tokens.length || !areAlike(parsed.shape, shape)) {
      this.#counters.refused('refused');
      return;
    }
    this.#waitingBytes += state.length;
    const offsets = rowOffsets(shape, tokens.length);
    this.#damaged.forget(identity.keys, replaceFrom, blocks);
    this.#jobs.push({ identity, state, offsets, missing, replaceFrom });
  }

  /** Writes one block. @returns false when nothing waits */
  step(): boolean {
    const job = this.#jobs[0];
    if (job === undefined) return false;
    const block = job.missing.pop();
    if (block !== undefined && !this.#write(job, block)) {
      // Where there is no room for one block there is none for those that build on it.
      this.#counters.add('blocksRejected', 1 + job.missing.length);
      job.missing.length = 0;
    }
    if (job.missing.length === 0) {
      this.#jobs.shift();
      this.#waitingBytes -= job.state.length;
    }
    return true;
  }

  #has(name: string): boolean {
    try {
      return this.#pool.has(name);
    } catch (error) {
      if (isUnavailable(error)) return false;
      throw error;
    }
  }

  /** @returns false when the pool does not take it */
  #write({ identity, state, offsets, replaceFrom }: Job, block: number): boolean {
    const rows = rowsOf(state, offsets, identity.shape, block);
    const name = nameOf(identity.keys, block);
    try {
      const draft = this.#pool.beginPut(name, rowsPart, blockBytes(identity.shape), {
        kind: 'attention',
        tags: [identity.tag],
        ...(block < replaceFrom && { ifVersion: 0 }),
      });
      try {
        draft.write(headOf(identity, block, rows));
        for (const piece of rows) draft.write(piece);
        draft.commit();
      } finally {
        draft.abort();
      }
      this.#counters.add('blocksWritten', 1);
      return true;
    } catch (error) {
      if (hasCode(error, 'version_conflict')) {
        this.#counters.add('blocksShared', 1);
        return true;
      }
      if (isRefusal(error)) return false;
      throw error;
    }
  }
}

function isRefusal(error: unknown): boolean {
  return (
    isUnavailable(error) ||
    hasCode(error, 'pool_full') ||
    hasCode(error, 'value_too_large') ||
    hasCode(error, 'budget_exceeded')
  );
}
