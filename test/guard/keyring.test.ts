import { createHash } from 'node:crypto';

import { expect, it } from 'vitest';

import { scopes } from '../../src/guard/api.ts';
import { freshKey, keyIdOf, keyInfoOf, Keyring, keyRecord } from '../../src/guard/keyring.ts';
import { dataLayout } from '../../src/guard/layout.ts';
import { keysText, parseKeys, parseTenants, tenantsText } from '../../src/guard/records.ts';
import { parameters } from '../server/support/fuzz.ts';
import { codeOf } from './support/guards.ts';
import { fc } from '../support/properties.ts';

const anyKey = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map(String.fromCharCode),
  minLength: 1,
  maxLength: 60,
});

it('finds exactly the keys that it has', () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyKey, { maxLength: 20 }), anyKey, (keys, other) => {
      const keyring = new Keyring(keys.map((key, i) => keyRecord(key, i, { tenant: `t${i}` })));
      for (const [i, key] of keys.entries()) expect(keyring.tenantOf(key)).toBe(`t${i}`);
      for (const wrong of [other, `${other} `, other.slice(1)]) {
        expect(keyring.find(wrong) === undefined).toBe(!keys.includes(wrong));
      }
    }),
    parameters(300),
  );
});

it('keeps hashes that any tool can make, and names keys by something else', () => {
  const record = keyRecord('a key'.replace(' ', '-'), 5, { label: 'for people' });
  expect(record.sha256).toBe(createHash('sha256').update('a-key').digest('hex'));
  const info = keyInfoOf(record);
  expect(info).toEqual({
    id: keyIdOf(record),
    tenant: 'default',
    scopes,
    label: 'for people',
    createdAtMs: 5,
  });
  expect(record.sha256).not.toContain(info.id);
  expect(keyIdOf({ ...record, tenant: 'other' })).toBe(info.id);
});

it('makes keys of 256 random bits', () => {
  const keys = new Set(Array.from({ length: 1000 }, () => freshKey()));
  expect(keys.size).toBe(1000);
  for (const key of keys) expect(key).toMatch(/^cn_[\w-]{43}$/);
});

it.each(['a\nb', '\u0000', 'x'.repeat(101), '\ud800'])('refuses the label %j', async (label) => {
  expect(await codeOf(() => keyRecord('key', 0, { label }))).toBe('invalid_argument');
});

it('reads whatever it writes, and refuses anything else with a code', async () => {
  const { keysFile, tenantsFile } = dataLayout('/data');
  const keys = [keyRecord('a', 1), keyRecord('b', 2, { scopes: ['ctx:read'], label: 'l' })];
  expect(parseKeys(keysFile, keysText(keys))).toEqual(keys);
  const quotas = { capacityBytes: 2 ** 22, contexts: 0 };
  const tenants = { capacityBytes: 2 ** 30, tenants: [{ name: 'a', createdAtMs: 1, quotas }] };
  expect(parseTenants(tenantsFile, tenantsText(tenants))).toEqual(tenants);
  const field = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom('a', 1, 'ctx:read', 'ab'.repeat(32)),
  );
  const row = fc.dictionary(
    fc.constantFrom('tenant', 'sha256', 'scopes', 'label', 'createdAtMs', 'name', 'quotas'),
    field,
  );
  const file = fc.record({
    version: fc.constantFrom(1, 2, '2'),
    keys: fc.oneof(fc.array(row, { maxLength: 3 }), field),
    tenants: fc.oneof(fc.array(row, { maxLength: 3 }), field),
    capacityBytes: field,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        file.map((one) => JSON.stringify(one)),
        fc.string(),
      ),
      async (text) => {
        for (const parse of [parseKeys, parseTenants]) {
          const code = await codeOf(() => parse('/data/file.json', text));
          expect([undefined, 'invalid_argument']).toContain(code);
        }
      },
    ),
    parameters(500),
  );
});
