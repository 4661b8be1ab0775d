/** Query parameters of the routes. */

import { kinds } from '../../alloc/kind.ts';
import { elementTypes } from '../../pool/api.ts';
import type { QueryParameter } from './query.ts';
import { nameSchema } from './schema.ts';

/** Longest time to live: 4,460 years, so that a time is a whole number exactly. */
export const maxTtlMs: number = 2 ** 47;
const maxTags = 64;
const listRule = 'Between commas; `\\,` is a comma and `\\\\` a backslash within one.';

const type: QueryParameter = {
  name: 'type',
  schema: { type: 'string', enum: elementTypes, description: 'Element type of the bytes.' },
};

export const writeParameters: readonly QueryParameter[] = [
  {
    name: 'kind',
    schema: {
      type: 'string',
      enum: kinds,
      description:
        'Default: tokens for u32, embedding for f32 and f64, metadata for utf8, else blob.',
    },
  },
  type,
  {
    name: 'ttlMs',
    schema: {
      type: 'integer',
      minimum: 1,
      maximum: maxTtlMs,
      description: 'Milliseconds to live.',
    },
  },
  {
    name: 'tags',
    schema: {
      type: 'array',
      items: nameSchema,
      minItems: 1,
      maxItems: maxTags,
      description: `Tags, by which the part can be invalidated. ${listRule}`,
    },
  },
  {
    name: 'dependsOn',
    schema: {
      type: 'array',
      items: nameSchema,
      minItems: 1,
      maxItems: maxTags,
      description: `Ids of contexts that the part is derived from: stored as tags dep:ID. ${listRule}`,
    },
  },
  { name: 'pinned', schema: { type: 'boolean', description: 'Never evicted until unpinned.' } },
  { name: 'sensitive', schema: { type: 'boolean', description: 'Zeroed when freed.' } },
];

/** When a change is answered. */
export const durabilities = ['memory', 'disk'] as const;

export const durability: QueryParameter = {
  name: 'durability',
  schema: {
    type: 'string',
    enum: durabilities,
    description: 'disk: answered when it is on the disk, where a power loss does not take it.',
  },
};

export const putParameters: readonly QueryParameter[] = [...writeParameters, durability];

/** Without `type` an append takes that of the part, or u8 for a new one. */
export const appendParameters: readonly QueryParameter[] = [type, durability];
