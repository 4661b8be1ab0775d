/** What offload, the pressure ladder, windows and reports of the cache of blocks may not do without. */

const offload = 'test/kv/offload.test.ts';
const pressure = 'test/kv/pressure.test.ts';
const window = 'test/kv/window.test.ts';
const reports = 'test/kv/reports.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const kvOffload = [
  {
    name: 'a store that can be loaded before it is complete',
    why: 'the bytes are not there',
    file: 'src/kv/offload.ts',
    from: 'return slot !== noPlace && this.#ready[slot] === 1;',
    to: 'return slot !== noPlace;',
    test: offload,
    killer: 'vLLM offload not-ready lookups miss: what is being stored is not loaded',
  },
  {
    name: 'a failed store that is found',
    why: 'its slot holds whatever was there before',
    file: 'src/kv/offload.ts',
    from: 'for (const slot of transfer.slots) this.#far.withdraw(slot);',
    to: '',
    test: offload,
    killer:
      'vLLM offload a failed store is rolled back: slots free, nothing found, and it can be stored again',
  },
  {
    name: 'a store that gives away what it found stored',
    why: 'the rest of a chain is of no use without its beginning',
    file: 'src/kv/offload.ts',
    from: 'for (const place of held) this.#far.retain(place);',
    to: 'for (const place of held) (this.#far.retain(place), this.#far.release(place), held.fill(noPlace));',
    test: offload,
    killer: 'vLLM offload an already stored block is not evicted during prepare',
  },
  {
    name: 'a transfer that uses only what it moves',
    why: 'whoever uses a block uses all before it: else an idle block could not be evicted',
    file: 'src/kv/offload.ts',
    from: `blocks: missing, slots }, sequence, places, 0);`,
    to: `blocks: missing, slots }, sequence, missing, 0);`,
    test: offload,
    killer: 'a transfer holds the whole prefix of what it moves',
  },
  {
    name: 'a preemption while room is on its way',
    why: 'to wait costs less than to compute somebody anew',
    file: 'src/kv/pressure.ts',
    from: 'if ((this.#options.offload?.blocksToCome() ?? 0) > 0) return later;',
    to: '',
    test: pressure,
    killer:
      'with somewhere to store whoever waits is stored first, and room comes when that is complete',
  },
  {
    name: 'a ladder without its second step',
    why: 'somebody would wait for what nobody has written',
    file: 'src/kv/pressure.ts',
    from: 'if (sequence !== noRoom || this.#cache.trim() === 0) return sequence;',
    to: 'if (sequence !== noRoom || this.#cache.blockTokens > 0) return sequence;',
    test: pressure,
    killer: 'then what is reserved and not written is taken back',
  },
  {
    name: 'priorities that are not looked at',
    why: 'who is most wanted would wait',
    file: 'src/kv/pressure.ts',
    from: "const byPriority = this.#options.order === 'priority';",
    to: 'const byPriority = this.#options.order === undefined;',
    test: pressure,
    killer:
      'then somebody is preempted priority preemption: of the lowest priority, whoever came last',
  },
  {
    name: 'a window that is one token short',
    why: 'the next token still looks into the block',
    file: 'src/kv/window.ts',
    from: 'const first = sequences.get(slot, field.length) - windowTokens + 1;',
    to: 'const first = sequences.get(slot, field.length) - windowTokens + 2;',
    test: window,
    killer:
      'vLLM test_sliding_window_remove_skipped_blocks: blocks are let go once the next token does not see them',
  },
  {
    name: 'a window of which one block is missing',
    why: 'the next token looks back into it',
    file: 'src/kv/window.ts',
    from: 'return Math.ceil((windowTokens - 1) / blockTokens);',
    to: 'return Math.floor((windowTokens - 1) / blockTokens);',
    test: window,
    killer:
      'vLLM test_sliding_window_possible_cached_prefix xx-x--xx-xxx: 12 blocks need not be computed',
  },
  {
    name: 'a leaf that is not told',
    why: 'a policy of leaves would never give it away',
    file: 'src/kv/blocks.ts',
    from: 'if (state < childUnit) this.policy.leaf(before);',
    to: '',
    test: reports,
    killer: 'the policy is told all that happens, in the order of its contract',
  },
];
