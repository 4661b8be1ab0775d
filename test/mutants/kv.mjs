/** What the cache of blocks may not do without. */

const blocks = 'test/kv/blocks.test.ts';
const vllm = 'test/kv/vllm.test.ts';
const sglang = 'test/kv/sglang.test.ts';
const offload = 'test/kv/offload.test.ts';
const misuse = 'test/kv/misuse.test.ts';
const chain = 'test/kv/chain.test.ts';
const model = 'test/kv/model.test.ts';

const anything =
  'looking back to the first token: no block is lost, owned twice or freed while in use, and all is as the oracle says';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const kv = [
  {
    name: 'a prompt whose last token may be found',
    why: 'its logits are wanted: somebody has to compute them',
    file: 'src/kv/matching.ts',
    from: 'return Math.floor((tokens - 1) / state.blockTokens);',
    to: 'return Math.floor(tokens / state.blockTokens);',
    test: sglang,
    killer: 'page alignment: what is found is a multiple of a block, and less than the prompt',
  },
  {
    name: 'what a prompt finds that counts as room for its rest',
    why: 'the same block would be found and given away',
    file: 'src/kv/prefill.ts',
    from: 'if (wanted - matched > blocks.free + blocks.idle - idle) return noRoom;',
    to: 'if (wanted - matched > blocks.free + blocks.idle) return noRoom;',
    test: misuse,
    killer: 'a prompt for which there is no room evicts nothing and leaves the order as it was',
  },
  {
    name: 'a prefill that makes room before it holds what it found',
    why: 'what it found may be what goes',
    file: 'src/kv/prefill.ts',
    from: 'if (place !== noPlace) blocks.retain(place);\n  }\n  let hasRoom = false;\n  try {\n    hasRoom = blocks.makeRoom(wanted - matched);',
    to: 'if (place === noPlace) blocks.retain(place);\n  }\n  let hasRoom = false;\n  try {\n    hasRoom = blocks.makeRoom(wanted - matched);\n    for (let i = 0; i < matched; i++) blocks.retain(table[i] as number);',
    test: vllm,
    killer: 'test_computed_blocks_not_evicted: what a prompt finds is not given away for its rest',
  },
  {
    name: 'a prefill that keeps what it found when the policy fails it',
    why: 'nobody would let go of it',
    file: 'src/kv/prefill.ts',
    from: 'if (!hasRoom) undo(state, slot, table, matched, nowMs);',
    to: '',
    test: misuse,
    killer: 'a policy that breaks its contract what a prompt has found is let go again',
  },
  {
    name: 'a policy that is believed',
    why: 'a block in use would be given to a second sequence',
    file: 'src/kv/blocks.ts',
    from: 'this.#checkVictim(place);\n      this.#reports',
    to: 'this.#reports',
    test: misuse,
    killer: 'a policy that breaks its contract by giving away what is in use',
  },
  {
    name: 'a victim that others extend',
    why: 'what extends it could not be found any more and would lie there for nothing',
    file: 'src/kv/blocks.ts',
    from: 'if (state === cachedBit && this.#records',
    to: 'if (this.#records',
    test: misuse,
    killer: 'a policy that breaks its contract by giving away a block that another extends',
  },
  {
    name: 'an evicted block that is still found',
    why: 'its content is another one soon',
    file: 'src/kv/blocks.ts',
    from: 'if (at === place) this.#buckets[bucket] = next;',
    to: 'if (at === place) this.#buckets[bucket] = place;',
    test: blocks,
    killer: 'blocks of one bucket are found whichever of them goes first',
  },
  {
    name: 'a block that was evicted and lies in the chain of a bucket',
    why: 'whoever walks the bucket arrives at what the block holds next',
    file: 'src/kv/blocks.ts',
    from: 'records[(at << recordShift) + nextWord] = next;',
    to: '',
    test: blocks,
    killer: 'blocks of one bucket are found whichever of them goes first',
  },
  {
    name: 'keys of which half is compared',
    why: 'equal keys are taken for equal content: every bit counts',
    file: 'src/kv/blocks.ts',
    from: 'records[from + 3] === keys[at + 3]',
    to: 'true',
    test: blocks,
    killer: 'keys that differ in any one bit are different',
  },
  {
    name: 'a double that does not hold the block with its key',
    why: 'the key would be gone while a block with that content lives',
    file: 'src/kv/blocks.ts',
    from: 'this.retain(holder);',
    to: '',
    test: vllm,
    killer:
      'test_maybe_evict_cached_block: of two blocks with one key either is found while the other goes',
  },
  {
    name: 'a double that never lets go of the block with its key',
    why: 'that block would be in use for ever',
    file: 'src/kv/blocks.ts',
    from: 'if ((state & doubleBit) !== 0) this.release(this.#records[from + linkWord] as number);',
    to: '',
    test: vllm,
    killer:
      'test_prefill_plp: a prompt that is computed anew doubles blocks and takes none of those that are cached',
  },
  {
    name: 'blocks that are let go first to last',
    why: 'a prefix would go before what extends it',
    file: 'src/kv/ending.ts',
    from: `  for (let i = sequences.get(slot, field.held) - 1; i >= from; i--) {
    const place = table[i] as number;
    if (place !== noPlace) blocks.release(place);
  }
  sequences.close(slot);`,
    to: `  for (let i = from; i < sequences.get(slot, field.held); i++) {
    const place = table[i] as number;
    if (place !== noPlace) blocks.release(place);
  }
  sequences.close(slot);`,
    test: vllm,
    killer: 'test_evict: blocks are freed tail first, in the order 10, 6, 5, 4, 3, 2, 1, 9, 8, 7',
  },
  {
    name: 'a fork that writes into what it shares',
    why: 'the other sequence would read it',
    file: 'src/kv/filling.ts',
    from: 'if (blocks.users(from) === 1) return step.written;',
    to: 'if (blocks.users(from) >= 1) return step.written;',
    test: misuse,
    killer: 'a fork copies the block that both would write, and only that',
  },
  {
    name: 'a copy that keeps the block it was made of',
    why: 'the block would never be free again',
    file: 'src/kv/filling.ts',
    from: '  blocks.release(from);\n  copy.from',
    to: '  copy.from',
    test: model,
    killer: anything,
    brief: true,
  },
  {
    name: 'a fork that shares what is reserved',
    why: 'both would write there',
    file: 'src/kv/ending.ts',
    from: `  const length = sequences.get(slot, field.length);
  const held = Math.ceil(length / blockTokens);`,
    to: `  const length = sequences.get(slot, field.length) + 0 * blockTokens;
  const held = sequences.get(slot, field.held);`,
    test: misuse,
    killer: 'a fork copies the block that both would write, and only that',
  },
  {
    name: 'blocks that are found before they are computed',
    why: 'an engine whose steps overlap would read what is not written yet',
    file: 'src/kv/filling.ts',
    from: 'const end = Math.min(sequences.get(slot, field.sealed), computed);',
    to: 'const end = Math.max(sequences.get(slot, field.sealed), computed & 0);',
    test: vllm,
    killer: 'test_cache_blocks: full blocks are found as soon as they are computed, and no sooner',
  },
  {
    name: 'an abort that leaves what was written',
    why: 'its computation failed: others would find garbage',
    file: 'src/kv/kv-cache.ts',
    from: 'withdraw(this.#state, slot);',
    to: '',
    test: sglang,
    killer:
      'streaming session abort what the session wrote is gone, what it found stays, nothing is lost',
  },
  {
    name: 'an abort that takes what others use',
    why: 'who uses a block uses all before it: these must stay',
    file: 'src/kv/blocks.ts',
    from: 'if (state >= childUnit || (this.#records[from + usersWord] as number) > 1) return false;',
    to: 'if (state >= childUnit) return false;',
    test: model,
    killer: anything,
    brief: true,
  },
  {
    name: 'a reset while blocks are in use',
    why: 'they would be handed out a second time',
    file: 'src/kv/kv-cache.ts',
    from: 'if (sequences.count > 0 || blocks.free + blocks.idle < blocks.capacity) return false;',
    to: '',
    test: vllm,
    killer: 'test_reset_prefix_cache: refused while a block is in use',
  },
  {
    name: 'a reset while a transfer reads the blocks of a sequence that has ended',
    why: 'no sequence is under way then, and yet the blocks are in use',
    file: 'src/kv/kv-cache.ts',
    from: 'sequences.count > 0 || blocks.free + blocks.idle < blocks.capacity',
    to: 'sequences.count > 0',
    test: offload,
    killer:
      'vLLM offload blocks are in use until the transfer ends, whatever becomes of the sequence',
  },
  {
    name: 'ids without generations',
    why: 'an id that is kept for too long would mean its successor',
    file: 'src/kv/sequences.ts',
    from: 'const generation = -(this.#words[at] as number) & this.#generationMask() || 1;',
    to: 'const generation = 1 | (this.#generationMask() & 0);',
    test: misuse,
    killer: 'a sequence that has ended, or never was, is unknown to every call',
  },
  {
    name: 'a key without its tenant',
    why: 'tenants would find each other',
    file: 'src/kv/scope.ts',
    from: '.update(lengths).update(first)',
    to: '.update(lengths)',
    test: vllm,
    killer: 'test_cache_key_salting: another salt finds nothing, the same finds all',
  },
  {
    name: 'salt and adapter run together',
    why: "the salt 'ab' would be the salt 'a' with the adapter 'b'",
    file: 'src/kv/scope.ts',
    from: '.update(lengths)',
    to: '',
    test: chain,
    killer: 'other keys for every secret, salt and adapter',
  },
  {
    name: 'extras that are not counted in the key',
    why: 'a picture and the same words as tokens would be one',
    file: 'src/kv/chain.ts',
    from: 'const word = i < end ? (tokens[i] as number) | 0 : extras;',
    to: 'const word = i < end ? (tokens[i] as number) | 0 : extras & 0;',
    test: chain,
    killer: 'other keys for the same words as extras and as tokens',
  },
  {
    name: 'pictures without their place in the block',
    why: 'the same placeholders would be the same wherever the picture begins',
    file: 'src/kv/media.ts',
    from: 'absorb(state, at, offset - from);',
    to: 'absorb(state, at, 0);',
    test: vllm,
    killer:
      'test_mm_prefix_caching equal tokens with other media, or the same elsewhere, are not found',
  },
];
