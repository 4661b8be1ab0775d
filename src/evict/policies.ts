/** Policies by name. */

import type { Random } from '../base/random.ts';
import type { Policy, PolicyName } from './api.ts';
import { Hazard } from './hazard/hazard.ts';
import { Lfu } from './lfu.ts';
import { Lru } from './lru.ts';

export const policyNames: readonly PolicyName[] = ['lru', 'lfu', 'hazard'];

/** @param places capacity of the cache in blocks */
export function makePolicy(name: PolicyName, places: number, random: Random): Policy {
  if (name === 'hazard') return new Hazard(places, random);
  return name === 'lfu' ? new Lfu(places, random) : new Lru(places);
}
