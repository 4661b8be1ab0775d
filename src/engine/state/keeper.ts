/** State of sequences in a pool, for one context: what an instance needs of it. */

import type { Pool } from '../../pool/api.ts';
import type { LlamaContext } from '../llama/context.ts';
import { type BlockIdentity, blockTokens } from './block.ts';
import type { Counters } from './counters.ts';
import { DamagedBlocks } from './damaged-blocks.ts';
import { chainStart, fingerprintOf, keysOf, type ModelIdentity } from './keys.ts';
import { Restorer } from './restore.ts';
import { tenantTag } from './tenants.ts';
import { StateWriter } from './writer.ts';

/** Tenants that are remembered. */
const ownersMax = 1024;

interface Owner {
  /** Where the chains of its blocks start. */
  readonly start: Int32Array;
  readonly tag: string;
}

export interface KeeperOptions {
  readonly pool: Pool;
  readonly model: ModelIdentity;
  readonly salt: string;
  readonly writeQueueBytes: number;
  readonly counters: Counters;
}

export class StateKeeper {
  readonly #model: ModelIdentity;
  readonly #salt: string;
  readonly #fingerprint: Uint8Array;
  readonly #hasDisk: boolean;
  readonly #restorer: Restorer;
  readonly #writer: StateWriter;
  readonly #owners = new Map<string, Owner>();

  constructor({ pool, model, salt, writeQueueBytes, counters }: KeeperOptions) {
    this.#model = model;
    this.#salt = salt;
    this.#fingerprint = fingerprintOf(model);
    this.#hasDisk = pool.hasDisk;
    const damaged = new DamagedBlocks();
    this.#restorer = new Restorer(pool, model.shape, counters, damaged);
    this.#writer = new StateWriter(pool, writeQueueBytes, counters, damaged);
  }

  /**
   * Loads what is known of the beginning of a prompt, but for its last token, whose logits are wanted.
   * @param stepTokens prompts are computed in pieces that end at multiples of this
   * @returns how many tokens were loaded, a multiple of it
   */
  restore(
    context: LlamaContext,
    sequence: number,
    tenant: string,
    prompt: Int32Array,
    stepTokens: number,
  ): Promise<number> {
    const blocks = Math.floor((prompt.length - 1) / blockTokens);
    const identity = this.identityOf(tenant, prompt);
    return this.#restorer.restore(context, sequence, identity, blocks, stepTokens);
  }

  /** Brings what is on the disk to memory, before a sequence waits for it. */
  async warm(tenant: string, prompt: Int32Array): Promise<void> {
    if (!this.#hasDisk) return;
    const blocks = Math.floor((prompt.length - 1) / blockTokens);
    await this.#restorer.warm(this.identityOf(tenant, prompt), blocks);
  }

  /** Takes the state of tokens that were computed; `step` writes it. The sequence may go afterwards. */
  take(context: LlamaContext, sequence: number, tenant: string, tokens: Int32Array): void {
    if (tokens.length < blockTokens) return;
    this.#writer.take(context, sequence, this.identityOf(tenant, tokens));
  }

  /** Writes one block. @returns false when nothing waits */
  step(): boolean {
    return this.#writer.step();
  }

  get isFlushed(): boolean {
    return this.#writer.isEmpty;
  }

  identityOf(tenant: string, tokens: Int32Array): BlockIdentity {
    const { start, tag } = this.#ownerOf(tenant);
    return {
      fingerprint: this.#fingerprint,
      shape: this.#model.shape,
      tokens,
      keys: keysOf(start, tokens),
      tag,
    };
  }

  #ownerOf(tenant: string): Owner {
    const known = this.#owners.get(tenant);
    if (known !== undefined) return known;
    if (this.#owners.size >= ownersMax) this.#owners.clear();
    const start = chainStart(this.#fingerprint, this.#salt, tenant);
    const owner = { start, tag: tenantTag(this.#salt, tenant) };
    this.#owners.set(tenant, owner);
    return owner;
  }
}
