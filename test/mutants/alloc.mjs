/** What the allocator may not do without. */

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const alloc = [];
