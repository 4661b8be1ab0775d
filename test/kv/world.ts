/** A cache, an offload, an engine that writes content, and an oracle; random deeds are done to all of them, and compared. */

import { deepStrictEqual as same } from 'node:assert/strict';
import { KvCache, noRoom, Offload, step, type Transfer } from '../../src/kv/index.ts';
import { type Known, Oracle } from './oracle.ts';
import { fc } from '../support/properties.ts';

const blocks = 12;
const blockTokens = 4;
const requestsMax = 5;
const slots = 6;

const deeds = [
  'prefill',
  'prefill',
  'prefill',
  'decode',
  'decode',
  'append',
  'fork',
  'end',
  'end',
  'abort',
  'computed',
  'reserve',
  'trim',
  'store',
  'load',
  'complete',
  'cancel',
  'reset',
] as const;

export interface Deed {
  readonly deed: (typeof deeds)[number];
  readonly which: number;
  readonly amount: number;
  readonly flavour: number;
}

export const anyDeed: fc.Arbitrary<Deed> = fc.record({
  deed: fc.constantFrom(...deeds),
  which: fc.nat(7),
  amount: fc.nat(23),
  flavour: fc.nat(15),
});

/** Prompts that often share a prefix. */
function promptOf({ which, amount, flavour }: Deed): number[] {
  const shared = Math.min(amount, 4 * (which % 4));
  return Array.from({ length: amount + 1 }, (_, i) => (i < shared ? i : 100 * (flavour % 3) + i));
}

export class World {
  readonly #kv: KvCache;
  readonly #far: Offload;
  readonly #oracle: Oracle;
  readonly #ids: number[] = [];
  /** What the engine has written: the text of all tokens up to each position. */
  readonly #content: string[][] = Array.from({ length: blocks }, () => []);
  readonly #stored: string[][] = Array.from({ length: slots }, () => []);
  /** Tokens of each sequence whose content is there. */
  readonly #done = new Map<Known, number>();
  readonly #transfers: { transfer: Transfer; known: Known; pinned: number[] }[] = [];

  constructor(windowTokens: number) {
    this.#kv = new KvCache({ blocks, blockTokens, requestsMax, windowTokens });
    this.#far = new Offload(this.#kv, { slots, transfersMax: 3 });
    this.#oracle = new Oracle(blocks, blockTokens, windowTokens);
  }

  perform(each: Deed): void {
    const id = this.#ids[each.which % Math.max(1, this.#ids.length)];
    const known = id === undefined ? undefined : this.#oracle.sequences.get(id);
    if (each.deed === 'prefill') this.#prefill(each);
    else if (each.deed === 'complete' || each.deed === 'cancel') this.#finish(each);
    else if (each.deed === 'reset') this.#reset();
    else if (id !== undefined && known !== undefined) this.#act(each, id, known);
    this.#check();
  }

  /** All ends: everything is free or idle. */
  finish(): void {
    for (const { transfer } of this.#transfers) this.#far.cancel(transfer.id);
    for (const id of this.#ids) this.#kv.end(id);
    const { used, sequences, heldTokens } = this.#kv.stats();
    same({ used, sequences, heldTokens }, { used: 0, sequences: 0, heldTokens: 0 });
    same(this.#far.stats().free + this.#far.stats().idle, slots);
    same(this.#kv.reset(), true);
    same(this.#far.reset(), true);
    same(this.#kv.stats().free, blocks);
  }

  #prefill(each: Deed): void {
    const tokens = promptOf(each);
    const lookUp = each.flavour !== 7;
    const computed = each.flavour % 4 !== 0;
    const scope = each.flavour > 12 ? 'other' : 'own';
    const options = { lookUp, computed, scope: this.#kv.scope({ salt: scope }) };
    const id = this.#kv.prefill(Int32Array.from(tokens), options);
    const full = this.#ids.length === requestsMax;
    const known = full ? undefined : this.#oracle.prefill(tokens, scope, lookUp, computed);
    same(id === noRoom, known === undefined);
    if (known === undefined) return;
    this.#ids.push(id);
    this.#oracle.sequences.set(id, known);
    same(this.#kv.matchedTokens(id), known.matched * blockTokens);
    this.#done.set(known, known.matched * blockTokens);
    if (computed) this.#compute(known);
  }

  #act({ deed: name, amount, flavour }: Deed, id: number, known: Known): void {
    if (name === 'decode')
      this.#append(id, known, [flavour % 2], () => this.#kv.decode(id, flavour % 2));
    else if (name === 'append') {
      const tokens = Array.from({ length: 1 + (amount % 9) }, (_, i) => flavour + i);
      this.#append(id, known, tokens, () => this.#kv.append(id, Int32Array.from(tokens)));
    } else if (name === 'fork') this.#fork(id, known);
    else if (name === 'end' || name === 'abort') {
      if (name === 'abort') this.#oracle.withdraw(known);
      this.#kv[name](id);
      this.#oracle.end(known);
      this.#ids.splice(this.#ids.indexOf(id), 1);
      this.#oracle.sequences.delete(id);
    } else if (name === 'computed') {
      this.#compute(known);
      const tokens = Math.min(known.tokens.length, known.computed + amount);
      if (known.computed === Infinity) return;
      this.#kv.computed(id, tokens);
      known.computed = tokens;
      this.#oracle.publish(known);
    } else if (name === 'reserve') {
      same(this.#kv.reserve(id, amount), this.#oracle.reserve(known, amount));
    } else if (name === 'trim') same(this.#kv.trim(id), this.#oracle.trim(known));
    else if (name === 'store') this.#begin(this.#far.prepareStore(id), known);
    else if (name === 'load') this.#begin(this.#far.prepareLoad(id), known);
  }

  #append(id: number, known: Known, tokens: number[], append: () => number): void {
    const before = this.#done.get(known) === known.tokens.length;
    const result = append();
    const predicted = this.#oracle.append(known, tokens);
    const { written, grew, copied } = step;
    const what =
      predicted === undefined
        ? noRoom
        : predicted.copied
          ? copied
          : predicted.grew
            ? grew
            : written;
    same(result, what);
    if (result === copied) {
      const { from, to } = this.#kv.copy;
      this.#content[to] = [...(this.#content[from] as string[])];
    }
    if (before && known.computed === Infinity) this.#compute(known);
    same(this.#kv.length(id), known.tokens.length);
  }

  #fork(id: number, known: Known): void {
    const fork = this.#kv.fork(id);
    same(fork === noRoom, this.#ids.length === requestsMax);
    if (fork === noRoom) return;
    const forked = this.#oracle.fork(known);
    this.#ids.push(fork);
    this.#oracle.sequences.set(fork, forked);
    this.#done.set(forked, this.#done.get(known) as number);
  }

  #begin(transfer: Transfer | undefined, known: Known): void {
    if (transfer === undefined) return;
    const { table, windowFrom, published } = known;
    const last = table.indexOf(transfer.blocks.at(-1) as number) + 1;
    const pinned = table.slice(windowFrom, transfer.direction === 'load' ? last : published);
    for (const block of pinned) this.#oracle.retain(block);
    this.#transfers.push({ transfer, known, pinned });
  }

  #finish({ deed: name, which }: Deed): void {
    const [ended] = this.#transfers.splice(which % Math.max(1, this.#transfers.length), 1);
    if (ended === undefined) return;
    const { transfer, known, pinned } = ended;
    const isLoad = transfer.direction === 'load';
    if (name === 'complete') {
      transfer.blocks.forEach((block, i) => {
        const slot = transfer.slots[i] as number;
        if (isLoad) this.#content[block] = [...(this.#stored[slot] as string[])];
        else this.#stored[slot] = [...(this.#content[block] as string[])];
      });
    }
    if (isLoad && name === 'complete' && [...this.#oracle.sequences.values()].includes(known)) {
      const last = known.table.indexOf(transfer.blocks.at(-1) as number);
      const tokens = (last + 1) * blockTokens;
      this.#done.set(known, Math.max(tokens, this.#done.get(known) as number));
      known.computed = Math.max(known.computed, tokens);
      this.#oracle.publish(known);
    }
    this.#far[name as 'complete' | 'cancel'](transfer.id);
    for (const block of pinned.reverse()) this.#oracle.release(block);
  }

  #reset(): void {
    const isIdle = this.#oracle.counts.used === 0;
    if (isIdle) return;
    same(this.#kv.reset(), false);
  }

  /** The engine writes all of a sequence that is not there yet. */
  #compute(known: Known): void {
    const { tokens, table, scope } = known;
    for (let i = this.#done.get(known) as number; i < tokens.length; i++) {
      const block = table[Math.floor(i / blockTokens)] as number;
      (this.#content[block] as string[])[i % blockTokens] =
        `${scope}:${tokens.slice(0, i + 1).join()}`;
    }
    this.#done.set(known, tokens.length);
  }

  #check(): void {
    const { free, idle, used, cached } = this.#kv.stats();
    same({ free, idle, used, cached }, this.#oracle.counts);
    for (const [id, known] of this.#oracle.sequences) {
      same([...this.#kv.table(id)], known.table);
      const { tokens, table, scope } = known;
      for (let i = 0; i < (this.#done.get(known) as number); i++) {
        const block = table[Math.floor(i / blockTokens)] as number;
        if (block === -1) continue;
        const text = (this.#content[block] as string[])[i % blockTokens];
        same(text, `${scope}:${tokens.slice(0, i + 1).join()}`);
      }
    }
  }
}
