/**
 * Kinds of context data. A slab, run or extent holds one kind only; each kind has its own policy.
 */

export const kinds = ['metadata', 'tokens', 'embedding', 'attention', 'blob'] as const;

export type KindName = (typeof kinds)[number];

/** Index into `kinds`, as stored in page descriptors, slab headers and entries. */
export type Kind = number;

export const metadataKind: Kind = 0;

export function kindOf(name: KindName): Kind {
  return kinds.indexOf(name);
}
