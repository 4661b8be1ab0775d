/** What a cache is made with, checked. */

import type { Clock } from '../base/clock.ts';
import { freshSeed, Random } from '../base/random.ts';
import { show } from '../base/show.ts';
import type { Policy, PolicyName } from '../evict/api.ts';
import { makePolicy, policyNames } from '../evict/policies.ts';
import { fail } from '../errors.ts';
import { checkSecret } from './scope.ts';
import type { State } from './state.ts';

/** 2^27 records of 32 bytes are the largest array that every platform makes. */
const blocksMax = 2 ** 27;
const blockTokensMax = 2 ** 16;
const slotsMax = 2 ** 16;
const eventsMax = 2 ** 24;

export interface KvCacheOptions {
  /** Blocks, numbered from 0. */
  readonly blocks: number;
  /** Tokens in a block. */
  readonly blockTokens: number;
  /** Sequences under way at once, at most. */
  readonly requestsMax: number;
  /** What decides which cached block goes: by name (default `lru`), or your own, made for as many places as there are blocks. */
  readonly policy?: PolicyName | Policy;
  /** Of what policies draw at random. Default: one that nobody can foresee. */
  readonly seed?: number;
  /** Salt of sequences that name no scope. */
  readonly salt?: string;
  /** At least 16 bytes. Default: random, so that keys mean nothing in other caches. */
  readonly secret?: Uint8Array;
  /** Tokens that attention looks back, where it does not look back to the first. */
  readonly windowTokens?: number;
  /** Events kept until they are taken. Default 0: none are noted. */
  readonly events?: number;
  /** False: no block is ever found. */
  readonly caching?: boolean;
  /** True: remembers keys of the last requests, so that `optimum` can tell what the best policy would have found. Default false. */
  readonly optimum?: boolean;
  readonly clock?: Clock;
}

export interface KvStats {
  /** free + idle + used */
  readonly blocks: number;
  readonly free: number;
  /** Cached and in nobody's use: these are given away, as the policy says. */
  readonly idle: number;
  readonly used: number;
  /** Blocks that can be found, idle or used. */
  readonly cached: number;
  readonly sequences: number;
  readonly prefills: number;
  readonly lookedUpTokens: number;
  readonly hitTokens: number;
  /** Room for tokens in the tables of sequences, and what of it is empty: the internal waste. */
  readonly heldTokens: number;
  readonly emptyTokens: number;
  readonly eventsLost: number;
}

interface Given {
  readonly blocks: number;
  readonly blockTokens: number;
  readonly requestsMax: number;
  readonly windowTokens: number;
  readonly events: number;
  readonly caching: boolean;
}

/** @throws invalid_argument */
export function readOptions(options: KvCacheOptions): Given {
  const { blocks, blockTokens, requestsMax, windowTokens = 0, events = 0 } = options;
  checkCount('blocks', blocks, 1, blocksMax);
  checkCount('blockTokens', blockTokens, 1, blockTokensMax);
  checkCount('requestsMax', requestsMax, 1, slotsMax);
  checkCount('windowTokens', windowTokens, 0, 2 ** 30);
  checkCount('events', events, 0, eventsMax);
  if (options.secret !== undefined) checkSecret(options.secret);
  const { caching = true } = options;
  return { blocks, blockTokens, requestsMax, windowTokens, events, caching };
}

/** @throws invalid_argument */
export function policyOf({ policy = 'lru', blocks, seed }: KvCacheOptions): Policy {
  if (typeof policy === 'object') return policy;
  if (!policyNames.includes(policy)) {
    fail('invalid_argument', `policy: ${policyNames.join(', ')} or your own, not ${show(policy)}`);
  }
  return makePolicy(policy, blocks, new Random(seed ?? freshSeed()));
}

/** @throws invalid_argument */
export function checkCount(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    fail('invalid_argument', `${name}: an integer from ${min} to ${max}, not ${show(value)}`);
  }
}

/** @throws invalid_argument, value_too_large */
export function checkTokens(tokens: Int32Array | Uint32Array, state: State): void {
  if (!(tokens instanceof Int32Array || tokens instanceof Uint32Array) || tokens.length === 0) {
    fail(
      'invalid_argument',
      `tokens: a Uint32Array or Int32Array of one or more, not ${show(tokens)}`,
    );
  }
  const { blocks, blockTokens, windowTokens } = state;
  // With a window the first of them may be let go before the last are there.
  if (windowTokens === 0 && Math.ceil(tokens.length / blockTokens) > blocks.capacity) {
    const room = `${blocks.capacity} blocks of ${blockTokens}`;
    fail('value_too_large', `${tokens.length} tokens never fit into ${room}`);
  }
}
