/** From the pool into a context: the longest chain of blocks that are there and are what they should be. */

import { hasCode } from '../../errors.ts';
import type { Lease, Pool } from '../../pool/api.ts';
import type { LlamaContext } from '../llama/context.ts';
import { type BlockIdentity, blockTokens, joinRows, refusalOf } from './block.ts';
import type { Counters } from './counters.ts';
import type { DamagedBlocks } from './damaged-blocks.ts';
import { nameOf } from './keys.ts';
import { type RowShape, rowOffsets, stateBytes, writeFrame } from './rows.ts';

/** The part of a block's context that holds its rows. */
export const rowsPart = 'rows';

export class Restorer {
  readonly #pool: Pool;
  readonly #shape: RowShape;
  readonly #counters: Counters;
  readonly #damaged: DamagedBlocks;

  constructor(pool: Pool, shape: RowShape, counters: Counters, damaged: DamagedBlocks) {
    this.#pool = pool;
    this.#shape = shape;
    this.#counters = counters;
    this.#damaged = damaged;
  }

  /**
   * Loads as much of a sequence as there is, a multiple of `stepTokens`. A block that is not what it should be ends the chain and is removed; it is written
   * anew, and all that follow it.
   * @param blocksMax how many blocks may be loaded
   * @returns how many tokens were loaded
   */
  async restore(
    context: LlamaContext,
    sequence: number,
    identity: BlockIdentity,
    blocksMax: number,
    stepTokens: number,
  ): Promise<number> {
    const leases: Lease[] = [];
    try {
      while (leases.length < blocksMax) {
        const lease =
          this.#hot(identity, leases.length) ?? (await this.#cold(identity, leases.length));
        if (lease === undefined) break;
        leases.push(lease);
      }
      const step = stepTokens / blockTokens;
      const blocks = Math.floor(leases.length / step) * step;
      return blocks === 0 ? 0 : this.#load(context, sequence, leases.slice(0, blocks));
    } finally {
      for (const lease of leases) lease.release();
    }
  }

  /** Brings blocks that are on the disk to memory, as far as the chain goes. */
  async warm(identity: BlockIdentity, blocksMax: number): Promise<void> {
    for (let block = 0; block < blocksMax; block++) {
      const lease = this.#hot(identity, block) ?? (await this.#cold(identity, block));
      if (lease === undefined) return;
      lease.release();
    }
  }

  /** @returns tokens: none when llama.cpp refuses what was put together */
  #load(context: LlamaContext, sequence: number, leases: readonly Lease[]): number {
    const tokens = leases.length * blockTokens;
    const shape = this.#shape;
    const offsets = rowOffsets(shape, tokens);
    const isLoaded = context.loadState(sequence, stateBytes(shape, tokens), (state) => {
      writeFrame(shape, tokens, state);
      leases.forEach((lease, block) => {
        joinRows(lease.data as Uint8Array, state, offsets, shape, block);
      });
    });
    if (!isLoaded) {
      this.#counters.refused('refused');
      return 0;
    }
    this.#counters.add('blocksRestored', leases.length);
    return tokens;
  }

  #hot(identity: BlockIdentity, block: number): Lease | undefined {
    const name = nameOf(identity.keys, block);
    try {
      return this.#checked(this.#pool.get(name, rowsPart), identity, block);
    } catch (error) {
      return this.#unusable(error, name);
    }
  }

  /** A block that is on the disk only. */
  async #cold(identity: BlockIdentity, block: number): Promise<Lease | undefined> {
    if (!this.#pool.hasDisk) return undefined;
    const name = nameOf(identity.keys, block);
    try {
      return this.#checked(await this.#pool.load(name, rowsPart), identity, block);
    } catch (error) {
      return this.#unusable(error, name);
    }
  }

  #checked(lease: Lease | undefined, identity: BlockIdentity, block: number): Lease | undefined {
    if (lease === undefined) return undefined;
    const { data } = lease;
    const refusal = data instanceof Uint8Array ? refusalOf(data, identity, block) : 'foreign';
    if (refusal === undefined) return lease;
    this.#counters.refused(refusal);
    const { version } = lease;
    lease.release();
    this.#remove(nameOf(identity.keys, block), version);
    return undefined;
  }

  /** What the pool itself found to be damaged is as good as not there; so is what it cannot give now. */
  #unusable(error: unknown, name: string): undefined {
    if (hasCode(error, 'part_corrupt')) {
      this.#counters.refused('checksum');
      this.#remove(name, undefined);
    } else if (!isUnavailable(error)) throw error;
    return undefined;
  }

  #remove(name: string, version: number | undefined): void {
    this.#damaged.add(name);
    try {
      this.#pool.delete(name, rowsPart, version === undefined ? {} : { ifVersion: version });
    } catch (error) {
      // Somebody has replaced it meanwhile, or it stays for the next one to find.
      if (!hasCode(error, 'version_conflict') && !isUnavailable(error)) throw error;
    }
  }
}

/** Errors of a pool that another moment, or another pool, would not have: nothing to stop an answer for. */
export function isUnavailable(error: unknown): boolean {
  return (
    hasCode(error, 'pool_busy') ||
    hasCode(error, 'pool_closed') ||
    hasCode(error, 'read_only') ||
    hasCode(error, 'io_failed') ||
    hasCode(error, 'key_unavailable') ||
    hasCode(error, 'tier_unavailable')
  );
}
