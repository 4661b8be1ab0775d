/** What eviction that learns may not do without. */

const parts = 'test/evict/parts.test.ts';
const contract = 'test/evict/policies.test.ts';
const policies = 'test/kv/policies.test.ts';
const live = 'test/kv/live-optimum.test.ts';
const flight = 'test/kv/in-flight.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const evictions = [
  {
    name: 'candidates that are in use',
    why: 'what a request uses never goes',
    file: 'src/evict/candidates.ts',
    from: 'this.#change(place, (this.#state[place] as number) & ~released);',
    to: '',
    test: contract,
    killer: 'hazard gives away only what nobody uses or extends, and in the end all of it',
  },
  {
    name: 'candidates that others extend',
    why: 'a block without the one before it is worth nothing',
    file: 'src/evict/candidates.ts',
    from: 'this.#change(place, (this.#state[place] as number) & ~leaf);',
    to: '',
    test: contract,
    killer: 'lfu gives away only what nobody uses or extends, and in the end all of it',
  },
  {
    name: 'a candidate taken out from the wrong place',
    why: 'the last candidate takes the place of the one that leaves',
    file: 'src/evict/candidates.ts',
    from: '      this.#position[last] = position;',
    to: '',
    test: contract,
    killer: 'hazard gives away only what nobody uses or extends, and in the end all of it',
  },
  {
    name: 'a next victim that is in use again',
    why: 'what was looked at may have been used since',
    file: 'src/evict/hazard/hazard.ts',
    from: 'if (this.#choice.next === noPlace || !this.#candidates.has(this.#choice.next))\n      this.#choice.draw();',
    to: 'if (this.#choice.next === noPlace) this.#choice.draw();',
    test: contract,
    killer: 'hazard does not give away what is used again since it was next',
  },
  {
    name: 'holes in the table of known blocks',
    why: 'a probe ends at an empty slot: what follows one that is emptied moves up',
    file: 'src/evict/hazard/known.ts',
    from: '      slots[hole] = other + 1;\n      hole = slot;',
    to: '',
    test: parts,
    killer: 'the table of known blocks finds what a Map finds, whatever is forgotten in between',
  },
  {
    name: 'ghosts that are never too many',
    why: 'what is remembered is bounded',
    file: 'src/evict/hazard/known.ts',
    from: 'return this.ghosts > this.#ghostLimit ? this.#oldest : none;',
    to: 'return none;',
    test: parts,
    killer:
      'the table of known blocks holds many, and names the oldest ghost once there are too many',
  },
  {
    name: 'survivals told again',
    why: 'each group lives through each bucket once',
    file: 'src/evict/hazard/groups.ts',
    from: '      this.#waiting[bucket] = group;\n    }\n  }\n\n  /** Forgets a group',
    to: '    }\n  }\n\n  /** Forgets a group',
    test: parts,
    killer: 'groups are told to have lived through each bucket once, as time passes',
  },
  {
    name: 'a guard that counts groups as used last for ever',
    why: 'LRU would keep as many blocks as there are places',
    file: 'src/evict/hazard/guard.ts',
    from: 'while (this.#recentBlocks > this.#places && this.#oldest !== group) this.#shift();',
    to: '',
    test: parts,
    killer:
      'the guard knows what LRU would keep: the groups used last, as many blocks as there are places',
  },
  {
    name: 'a guard that forgets what groups lose',
    why: 'a block that is used again is counted with its new group alone',
    file: 'src/evict/hazard/guard.ts',
    from: 'if (this.#groups.isRecent[group] === 1) this.#recentBlocks -= blocks;',
    to: '',
    test: parts,
    killer:
      'the guard knows what LRU would keep: the groups used last, as many blocks as there are places',
  },
  {
    name: 'a guard that takes chance for a loss',
    why: 'LRU takes over where learning has clearly lost',
    file: 'src/evict/hazard/guard.ts',
    from: 'Math.max(noticeable * seen, significant * deviation)) return;',
    to: 'noticeable * seen) return;',
    test: parts,
    killer: 'the guard is not moved by a loss that may be chance',
  },
  {
    name: 'no guard at all',
    why: 'a policy that learned yesterday what does not hold today is not far below LRU',
    file: 'src/evict/hazard/guard.ts',
    from: '    this.isOn = true;\n',
    to: '',
    test: policies,
    killer: 'on made-up traces turncoat: hazard is never far below LRU',
  },
  {
    name: 'small differences taken at their word',
    why: 'of blocks that are alike what is learned differs for long: then the oldest goes, as with LRU',
    file: 'src/evict/hazard/choice.ts',
    from: '      this.#preferOldest(lowest * (1 + tolerance));\n',
    to: '',
    test: policies,
    killer:
      'on made-up traces in the shape of the conversation trace hazard is never far below LRU',
  },
  {
    name: 'returns learned before there can be survivals',
    why: 'survivals are told at the end of a bucket: returns alone make it look much better than it is',
    file: 'src/evict/hazard/learner.ts',
    from: 'if (!isOpen) this.#learn(group, bucket, 1);',
    to: 'this.#learn(group, bucket, 1);',
    test: parts,
    killer:
      'the learner does not take the returns of a bucket that nobody can have lived through for the whole of it',
  },
  {
    name: 'the oldest of a loop',
    why: 'where worth rises with age the oldest is what comes back first, however little the worths differ',
    file: 'src/evict/hazard/choice.ts',
    from: ' && !this.#risesWithAge()) {',
    to: ') {',
    test: parts,
    killer:
      'the choice is what is worth least where worth rises with age, as in a loop, and where it is worth far less',
  },
  {
    name: 'a newcomer that is always let in',
    why: 'a block that is worth less than what would go for it is left out',
    file: 'src/evict/hazard/hazard.ts',
    from: '    this.#choice.next = noPlace;\n    return false;\n  }',
    to: '    return true;\n  }',
    test: policies,
    killer: 'on made-up traces finds most of a loop that does not fit, where LRU finds nothing',
  },
  {
    name: 'hints that nobody hears',
    why: 'what is said of a session from outside is a feature',
    file: 'src/evict/hazard/features.ts',
    from: 'return hint === 0 ? stop : hint + 2;',
    to: 'return stop;',
    test: policies,
    killer: 'on made-up traces makes use of hints that are mostly right',
  },
  {
    name: 'a sample that keeps what it no longer samples',
    why: 'half as many keys are remembered from then on, and the others forgotten',
    file: 'src/kv/live-optimum.ts',
    from: '      if (!isSampled(low, high, this.#shift)) continue;\n      const to',
    to: '      const to',
    test: live,
    killer: 'a window is estimated from a sample that stays within its bound',
  },
  {
    name: 'a window that never ends',
    why: 'the recent past is what counts',
    file: 'src/kv/live-optimum.ts',
    from: '    while (this.#references > this.#windowReferences && this.#requestEnd - this.#requestStart > 1) {\n      this.#dropRequest();\n    }',
    to: '',
    test: live,
    killer: 'a window is exact as long as all is remembered',
  },
  {
    name: 'requests that overtake who waits',
    why: 'who finds no room waits, and is not forgotten',
    file: 'src/kv/replay/in-flight.ts',
    from: '    if (sequence === noRoom) {\n',
    to: '    if (sequence === noRoom) {\n      this.references += references;\n      return true;\n',
    test: flight,
    killer:
      'in flight with lru holds the blocks of what runs: who has no room waits, and nobody is forgotten',
  },
];
