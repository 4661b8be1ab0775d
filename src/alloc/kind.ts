/**
 * Kinds of context data. A slab, run or extent holds one kind only; each kind has its own policy.
 */

export const kinds = ['metadata', 'tokens', 'embedding', 'attention', 'blob'] as const;

/** A number by itself, which bundling writes into the code. */
export const kindCount: number = 5 satisfies (typeof kinds)['length'];

/** A kind in its three bits: stacks are there for as many, so that allocate need not ask how many there are. */
export const kindMask = 7;

export type KindName = (typeof kinds)[number];

/** Index into `kinds`, as stored in page descriptors, slab headers and entries. */
export type Kind = number;

export const metadataKind: Kind = 0;

export function kindOf(name: KindName): Kind {
  return kinds.indexOf(name);
}
