import { Random } from '../../src/base/random.ts';
import { seed } from './seed.ts';

/** Some of the accesses 1…`accesses`, from one that the seed gives on: about `most` of them, all when there are fewer. */
export function* pointsOf(accesses: number, most: number): Generator<number> {
  const stride = Math.max(1, Math.ceil(accesses / most));
  for (let k = 1 + new Random(seed()).below(stride); k <= accesses; k += stride) yield k;
}
