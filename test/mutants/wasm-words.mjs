/** What the `or` of WebAssembly may not do without. */

const wasm = 'test/memory/wasm-words.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const wasmWords = [
  {
    name: 'bits that are exchanged',
    why: 'others have set bits of the word, too',
    file: 'src/memory/wasm-words.ts',
    from: '[0xfe, 0x33, 0x02',
    to: '[0xfe, 0x41, 0x02',
    test: wasm,
    killer: 'orAt sets bits of one word, and tells what it was',
  },
  {
    name: 'bits that are set in two steps',
    why: 'another thread sets one in between',
    file: 'src/memory/wasm-words.ts',
    from: '    isTaken = true;\n    return orAt;',
    to: `    isTaken = true;
    const words = new Int32Array(memory.buffer);
    return (byte, bits) => {
      const before = words[byte >> 2] as number;
      words[byte >> 2] = before | (orAt === undefined ? 0 : bits);
      return before;
    };`,
    test: wasm,
    killer: 'orAt is an atomic instruction: no other one refuses what is not aligned',
  },
  {
    name: 'a function for each memory of a thread',
    why: 'a call of ever another one takes longer than what it replaces',
    file: 'src/memory/wasm-words.ts',
    from: '    isTaken = true;\n',
    to: '',
    test: wasm,
    killer: 'orAt is for the first memory that asks, in each thread',
  },
  {
    name: 'a memory that is taken as it comes',
    why: 'a handle may have been made up',
    file: 'src/memory/shared.ts',
    from: 'if (memory !== undefined && !isWasmMemory(memory, 2 ** shift)) {',
    to: 'if (memory !== undefined && !isWasmMemory(memory, 2 ** shift) && shift < 0) {',
    test: wasm,
    killer: 'a region is refused with a memory that is none of one segment',
  },
  {
    name: 'a function that is lost to a region that could not be joined',
    why: 'a thread that tries again would do without for good',
    file: 'src/memory/shared.ts',
    from: '    backing.letGo();\n',
    to: '',
    test: wasm,
    killer: 'a region that could not be joined leaves the function to the next one',
  },
  {
    name: 'bits that are set in the first segment wherever the block is',
    why: 'only that has the faster way',
    file: 'src/alloc/remote.ts',
    from: 'bits === messenger.quickBits',
    to: 'messenger.quickBits !== undefined',
    test: 'test/alloc/quick-frees.test.ts',
    killer: 'blocks of either segment come back, whoever frees them',
  },
];
