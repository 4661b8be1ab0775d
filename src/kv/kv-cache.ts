/**
 * A cache of numbered blocks for any engine that keeps attention state in pages. It decides which block holds what; the engine owns the bytes.
 *
 * Every step is O(1) per block, all state is in typed arrays, nothing is allocated per block in steady state. Private to a thread.
 */

import { systemClock, type Clock } from '../base/clock.ts';
import {
  noPlace,
  sessionHint,
  stopReason,
  type SessionHint,
  type StopReason,
} from '../evict/api.ts';
import { fail } from '../errors.ts';
import { BlockSizeAdviser } from './block-size.ts';
import { Blocks } from './blocks.ts';
import { endSequence, forkSequence, reserveTokens, trimReserved, withdraw } from './ending.ts';
import { Events, type KvEvent } from './events.ts';
import { appendTokens, type Copy, openTail, publish, write } from './filling.ts';
import { LiveOptimum, type OptimumReport } from './live-optimum.ts';
import { checkMedia, type Media } from './media.ts';
import {
  checkCount,
  checkTokens,
  type KvCacheOptions,
  type KvStats,
  policyOf,
  readOptions,
} from './options.ts';
import { beginSequence } from './prefill.ts';
import { Reports } from './reports.ts';
import { freshSecret, scopeOf, type Scope, type ScopeOptions } from './scope.ts';
import { field, Sequences } from './sequences.ts';
import { noRoom, type State } from './state.ts';
import { slide } from './window.ts';

export interface PrefillOptions {
  /** Tenant and adapter; default: the cache's own salt. */
  readonly scope?: Scope;
  readonly media?: readonly Media[];
  /** False: computes all anew, for example because log probabilities of the prompt are wanted. */
  readonly lookUp?: boolean;
  /**
   * True (default): blocks can be found at once, for engines that run one step after the other, as vLLM's. False: only after `computed` said so, for
   * engines whose steps may overlap or fail.
   */
  readonly computed?: boolean;
  /** Who has the lowest waits first when blocks are short. Default 0. */
  readonly priority?: number;
}

export interface EndOptions {
  readonly stop?: StopReason;
  readonly hint?: SessionHint;
}

let peek: (cache: KvCache) => State;

/** For the parts of this room that work beside a cache. */
export function stateOf(cache: KvCache): State {
  return peek(cache);
}

const computedAll = 0x7fffffff;
const nothing: readonly Media[] = [];

/**
 * @example
 * const kv = new KvCache({ blocks: 4096, blockTokens: 16, requestsMax: 64 });
 * const sequence = kv.prefill(Uint32Array.from(prompt));
 * if (sequence === noRoom) later();
 * compute(kv.matchedTokens(sequence), kv.table(sequence));
 * if (kv.decode(sequence, token) === step.grew) tell(kv.table(sequence));
 * kv.end(sequence);
 */
export class KvCache {
  /** What the last step that returned `copied` asks the engine to copy. */
  readonly copy: Readonly<Copy>;
  readonly reports: Reports;
  /** How long sequences get, and which block size would fit them. */
  readonly lengths: BlockSizeAdviser = new BlockSizeAdviser();
  readonly #copy: Copy = { from: noPlace, to: noPlace };
  readonly #state: State;
  readonly #clock: Clock;
  readonly #secret: Uint8Array;
  readonly #scope: Scope;
  readonly #events: Events | undefined;
  readonly #optimum: LiveOptimum | undefined;
  #lookedUpTokens = 0;
  #hitTokens = 0;
  #prefills = 0;

  static {
    peek = (cache) => cache.#state;
  }

  /** @throws invalid_argument */
  constructor(options: KvCacheOptions) {
    const given = readOptions(options);
    this.copy = this.#copy;
    this.reports = new Reports(given.blocks);
    const places = given.blocks;
    this.#optimum =
      options.optimum === true && given.caching ? new LiveOptimum({ places }) : undefined;
    this.#events = given.events === 0 ? undefined : new Events(given.events);
    this.#clock = options.clock ?? systemClock;
    this.#secret = Uint8Array.from(options.secret ?? freshSecret());
    this.#scope = this.scope({ salt: options.salt ?? '' });
    const policy = policyOf(options);
    const linked = given.windowTokens === 0;
    this.#state = {
      blocks: new Blocks(given.blocks, policy, linked, this.reports, this.#events),
      sequences: new Sequences(given.requestsMax),
      blockTokens: given.blockTokens,
      windowTokens: given.windowTokens,
      caching: given.caching,
      keys: new Int32Array(0),
    };
  }

  /** Where the keys of a tenant, or of an adapter, start: make it once, give it to each `prefill`. */
  scope(options: ScopeOptions): Scope {
    return scopeOf(this.#secret, options);
  }

  /**
   * Begins a sequence: finds what is cached of its prompt and takes blocks for the rest, all or none. Its last token is never found.
   * @returns the sequence, or `noRoom` when blocks or slots are lacking: nothing has changed
   * @throws invalid_argument; value_too_large for a prompt that this cache can never hold
   */
  prefill(tokens: Int32Array | Uint32Array, options: PrefillOptions = {}): number {
    const { media = nothing, lookUp = true, computed = true, priority = 0 } = options;
    checkTokens(tokens, this.#state);
    checkMedia(media, tokens.length);
    if (priority !== (priority | 0)) fail('invalid_argument', `no priority: ${priority}`);
    const scope = options.scope ?? this.#scope;
    const nowMs = this.#now();
    const prompt = { tokens, scope, media, lookUp, computed: computed ? computedAll : 0 };
    const slot = beginSequence(this.#state, prompt, nowMs);
    if (slot === noRoom) return noRoom;
    const { sequences, blockTokens } = this.#state;
    sequences.set(slot, field.priority, priority);
    const matched = sequences.get(slot, field.matched);
    this.#optimum?.note(this.#state.keys, Math.floor(tokens.length / blockTokens), matched);
    this.#prefills++;
    this.#lookedUpTokens += tokens.length;
    this.#hitTokens += matched * blockTokens;
    return sequences.idOf(slot);
  }

  /**
   * Appends a token: takes a block when the last one is full, or a copy of it when it is shared.
   * @returns one of `step`, or `noRoom`: the token was not appended
   * @throws unknown_sequence
   */
  decode(sequence: number, token: number): number {
    const slot = this.#state.sequences.slotOf(sequence);
    if (this.#state.sequences.get(slot, field.fill) === 0) this.#now();
    slide(this.#state, slot);
    const result = openTail(this.#state, slot, this.#copy);
    if (result !== noRoom && write(this.#state, slot, token)) publish(this.#state, slot);
    return result;
  }

  /**
   * Appends several tokens, all or none. When a copy is to be made, it is the block that was the last.
   * @returns one of `step`, or `noRoom`
   * @throws unknown_sequence, invalid_argument
   */
  append(sequence: number, tokens: Int32Array | Uint32Array): number {
    const state = this.#state;
    const slot = state.sequences.slotOf(sequence);
    checkTokens(tokens, state);
    slide(state, slot);
    this.#now();
    return appendTokens(state, slot, tokens, this.#copy);
  }

  /** The engine has computed the first `tokens` tokens: full blocks among them can be found. @throws unknown_sequence, invalid_argument */
  computed(sequence: number, tokens: number): void {
    const { sequences } = this.#state;
    const slot = sequences.slotOf(sequence);
    checkCount('computed tokens', tokens, 0, sequences.get(slot, field.length));
    if (tokens <= sequences.get(slot, field.computed)) return;
    this.#now();
    sequences.set(slot, field.computed, tokens);
    publish(this.#state, slot);
  }

  /** Blocks for `tokens` more tokens, ahead of time. @returns false when there is no room: nothing has changed. @throws unknown_sequence, invalid_argument */
  reserve(sequence: number, tokens: number): boolean {
    const slot = this.#state.sequences.slotOf(sequence);
    checkCount('tokens to reserve', tokens, 0, this.#state.blocks.capacity * this.blockTokens);
    this.#now();
    return reserveTokens(this.#state, slot, tokens);
  }

  /** Takes back what is reserved and unwritten, of one sequence or of all. @returns blocks. @throws unknown_sequence */
  trim(sequence?: number): number {
    const { sequences } = this.#state;
    if (sequence !== undefined) return trimReserved(this.#state, sequences.slotOf(sequence));
    let trimmed = 0;
    for (let slot = 0; slot < sequences.slots; slot++) {
      if (sequences.isActive(slot)) trimmed += trimReserved(this.#state, slot);
    }
    return trimmed;
  }

  /** A second sequence with the same tokens so far. @returns it, or `noRoom` when no slot is left. @throws unknown_sequence */
  fork(sequence: number): number {
    const { sequences } = this.#state;
    const fork = forkSequence(this.#state, sequences.slotOf(sequence), this.#now());
    return fork === noRoom ? noRoom : sequences.idOf(fork);
  }

  /** Ends a sequence; its full blocks stay cached until their place is needed, the last go first. @throws unknown_sequence */
  end(sequence: number, options: EndOptions = {}): void {
    const { stop = stopReason.unknown, hint = sessionHint.none } = options;
    const { sequences } = this.#state;
    const slot = sequences.slotOf(sequence);
    this.lengths.record(sequences.get(slot, field.length));
    endSequence(this.#state, slot, this.#now(), stop, hint);
  }

  /** Ends a sequence whose computation failed: what it wrote and nobody else uses is forgotten. @throws unknown_sequence */
  abort(sequence: number): void {
    const slot = this.#state.sequences.slotOf(sequence);
    const nowMs = this.#now();
    withdraw(this.#state, slot);
    endSequence(this.#state, slot, nowMs, stopReason.unknown, sessionHint.none);
  }

  /** Forgets everything. @returns false, and does nothing, while a sequence uses a block */
  reset(): boolean {
    const { blocks, sequences } = this.#state;
    if (sequences.count > 0 || blocks.free + blocks.idle < blocks.capacity) return false;
    blocks.clear();
    return true;
  }

  /** Tokens of a sequence. @throws unknown_sequence */
  length(sequence: number): number {
    return this.#get(sequence, field.length);
  }

  /** Tokens that need not be computed, as prefill found. @throws unknown_sequence */
  matchedTokens(sequence: number): number {
    return this.#get(sequence, field.matched) * this.blockTokens;
  }

  /** The block table, a view that is good until the sequence grows; -1 for blocks that have left the window. @throws unknown_sequence */
  table(sequence: number): Int32Array {
    const { sequences } = this.#state;
    const slot = sequences.slotOf(sequence);
    return sequences.table(slot, 0).subarray(0, sequences.get(slot, field.held));
  }

  get blockTokens(): number {
    return this.#state.blockTokens;
  }

  /** What has happened since the last call; empty unless `events` were asked for. */
  takeEvents(): KvEvent[] {
    return this.#events?.take() ?? [];
  }

  /**
   * The hit ratio of full blocks over the last prompts, and that of the best policy there could have been. Takes some milliseconds.
   * @returns undefined unless `optimum` was asked for
   */
  optimum(): OptimumReport | undefined {
    return this.#optimum?.report();
  }

  stats(): KvStats {
    const { blocks, sequences, blockTokens } = this.#state;
    let held = 0;
    let written = 0;
    for (let slot = 0; slot < sequences.slots; slot++) {
      if (!sequences.isActive(slot)) continue;
      const from = sequences.get(slot, field.windowFrom);
      held += sequences.get(slot, field.held) - from;
      written += sequences.get(slot, field.length) - from * blockTokens;
    }
    return {
      blocks: blocks.capacity,
      free: blocks.free,
      idle: blocks.idle,
      used: blocks.capacity - blocks.free - blocks.idle,
      cached: blocks.cached,
      sequences: sequences.count,
      prefills: this.#prefills,
      lookedUpTokens: this.#lookedUpTokens,
      hitTokens: this.#hitTokens,
      emptyTokens: held * blockTokens - written,
      heldTokens: held * blockTokens,
      eventsLost: this.#events?.lost ?? 0,
    };
  }

  #get(sequence: number, name: number): number {
    const { sequences } = this.#state;
    return sequences.get(sequences.slotOf(sequence), name);
  }

  #now(): number {
    const nowMs = this.#clock.nowMs();
    this.reports.at(nowMs);
    return nowMs;
  }
}
