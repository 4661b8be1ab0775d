/** Blocks go with their tenants. */

import { beforeEach, describe, expect, it } from 'vitest';
import { rowsPart } from '../../../src/engine/state/restore.ts';
import { TenantBlocks, tenantTag } from '../../../src/engine/state/tenants.ts';
import type { Pool } from '../../../src/pool/api.ts';
import { mib, pool } from '../../pool/support/pools.ts';
import { missingEngine, someTokens } from '../support/models.ts';
import { Played } from '../support/played.ts';

let kept: Pool;
let blocks: TenantBlocks;

function put(id: string, tenant: string | undefined, salt = 's'): void {
  const tags = tenant === undefined ? [] : [tenantTag(salt, tenant)];
  kept.put(id, rowsPart, new Uint8Array(64), { kind: 'attention', tags });
}

function left(): string[] {
  return kept.list().map(({ id }) => id);
}

beforeEach(async () => {
  kept = await pool();
  blocks = new TenantBlocks(kept, 's');
});

it('those of tenants that went while no server ran are removed at first, and nothing else', async () => {
  for (let at = 0; at < 450; at++) put(`kv:${at}`, at % 2 === 0 ? 'here' : 'gone');
  put('kv:old', undefined);
  put('kv:salt', 'here', 'another');
  put('other', undefined);
  await blocks.follow(['here', 'new']);
  const expected = Array.from({ length: 225 }, (_, at) => `kv:${2 * at}`);
  expect(new Set(left())).toEqual(new Set([...expected, 'other']));
});

it('those of a tenant that goes are removed, also what is written just after', async () => {
  await blocks.follow(['a', 'b']);
  put('kv:1', 'a');
  put('kv:2', 'b');
  await blocks.follow(['a', 'b']);
  expect(left()).toEqual(['kv:1', 'kv:2']);
  await blocks.follow(['b']);
  expect(left()).toEqual(['kv:2']);
  put('kv:3', 'a');
  await blocks.follow(['b']);
  expect(left()).toEqual(['kv:2']);
});

it('those of a tenant that is there again stay', async () => {
  await blocks.follow(['a']);
  await blocks.follow([]);
  await blocks.follow(['a']);
  put('kv:1', 'a');
  await blocks.follow(['a']);
  expect(left()).toEqual(['kv:1']);
});

it('a pool that is closed meanwhile is no error', async () => {
  put('kv:1', 'gone');
  await kept.close();
  await blocks.follow(['a']);
  await blocks.follow([]);
});

it('a tag does not tell whose it is', () => {
  expect(tenantTag('s', 'acme')).not.toContain('acme');
  expect(tenantTag('s', 'acme')).not.toBe(tenantTag('t', 'acme'));
});

describe.skipIf(missingEngine() !== undefined)('an engine', () => {
  it('writes blocks that go with their tenant', async () => {
    const large = await pool({ capacityBytes: 32 * mib });
    const played = new Played();
    const prompt = someTokens(100, 1);
    played.keep(large, prompt, 'a');
    played.keep(large, prompt, 'b');
    const { contextCount } = large;
    const ofServer = new TenantBlocks(large, 's');
    await ofServer.follow(['a', 'b']);
    expect(large.contextCount).toBe(contextCount);
    await ofServer.follow(['b']);
    expect(large.contextCount).toBe(contextCount / 2);
    expect((await played.goOn(large, prompt, 0, 'a')).cached).toBe(0);
    expect((await played.goOn(large, prompt, 0, 'b')).cached).toBe(64);
  });
});
