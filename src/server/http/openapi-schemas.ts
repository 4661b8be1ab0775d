/** Schemas of answers, as the OpenAPI document states them. */

import { kinds } from '../../alloc/kind.ts';
import { errorTable } from '../../errors.ts';
import { scopes } from '../../guard/api.ts';
import { quotaNames } from '../../guard/quotas.ts';
import { elementTypes } from '../../pool/api.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

const count: JsonSchema = { type: 'integer', minimum: 0 };
const text: JsonSchema = { type: 'string' };

const keyFields = {
  id: { ...text, description: 'Names the key without telling it.' },
  tenant: text,
  scopes: { type: 'array', items: { ...text, enum: scopes } },
  label: { type: ['string', 'null'] },
  createdAtMs: count,
} as const;

export const answerSchemas: Readonly<Record<string, JsonSchema>> = {
  Problem: record({
    type: text,
    title: text,
    status: count,
    detail: { ...text, description: 'What happened, with the offending value.' },
    code: { ...text, enum: [...Object.keys(errorTable), 'internal'] },
    advice: { ...text, description: 'What can be done about it.' },
  }),
  Status: record({ status: text }),
  Written: record({ version: count, sizeBytes: count }),
  PartsCounted: record({ parts: count }),
  DeletedCounted: record({ deleted: count }),
  Part: record({
    part: text,
    kind: { ...text, enum: kinds },
    elementType: { ...text, enum: elementTypes },
    sizeBytes: count,
    version: count,
    crc32: { type: ['integer', 'null'] },
    expiresAtMs: { type: ['integer', 'null'] },
    pinned: { type: 'boolean' },
    sensitive: { type: 'boolean' },
    tags: { type: 'array', items: text },
    uses: count,
  }),
  Context: record({
    id: text,
    parts: { type: 'array', items: refTo('Part') },
    partCount: count,
  }),
  ContextPage: {
    type: 'object',
    required: ['contexts'],
    properties: { contexts: { type: 'array', items: refTo('Context') }, next: text },
  },
  PartPage: {
    type: 'object',
    required: ['parts', 'partCount'],
    properties: { parts: { type: 'array', items: refTo('Part') }, partCount: count, next: text },
  },
  BatchResults: record({ results: { type: 'array', items: refTo('BatchResult') } }),
  BatchResult: {
    type: 'object',
    required: ['id', 'part', 'status'],
    properties: {
      id: text,
      part: text,
      status: count,
      version: count,
      sizeBytes: count,
      code: { ...text, enum: Object.keys(errorTable) },
      detail: text,
    },
  },
  Stats: {
    type: 'object',
    required: ['pool'],
    properties: {
      pool: { type: 'object' },
      tenant: refTo('Tenant'),
      http: { type: 'object', description: 'For keys with the scope admin.' },
    },
  },
  Tenant: record({
    name: text,
    createdAtMs: count,
    quotas: refTo('Quotas'),
    capacityBytes: count,
    isOpen: { type: 'boolean' },
    runningOperations: count,
    inFlightBytes: count,
    storedBytes: { type: ['integer', 'null'] },
    operations: count,
    refusals: { type: 'object', additionalProperties: count },
  }),
  Tenants: record({ tenants: { type: 'array', items: refTo('Tenant') } }),
  Key: record(keyFields),
  NewKey: record({ ...keyFields, key: { ...text, description: 'Told this once.' } }),
  Keys: record({ keys: { type: 'array', items: refTo('Key') } }),
  Quotas: {
    type: 'object',
    properties: Object.fromEntries(quotaNames.map((name) => [name, count])),
  },
};

export function refTo(schema: string): JsonSchema {
  return { $ref: `#/components/schemas/${schema}` };
}

function record(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: 'object', required: Object.keys(properties), properties };
}
