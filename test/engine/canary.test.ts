/**
 * 200 conversations at once on contexts that hold 8, of several tenants who use the same session ids, some with the same prompts, some cancelled,
 * an instance killed in between: each finds its own state and nobody else's. What is kept is what the tokens make, within the tolerance of batches.
 */

import { describe, expect, it, vi } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { hasCode } from '../../src/errors.ts';
import type { LlamaEngine } from '../../src/engine/api.ts';
import type { StateKeeper } from '../../src/engine/state/keeper.ts';
import { blockTokens } from '../../src/engine/state/block.ts';
import { nameOf } from '../../src/engine/state/keys.ts';
import type { Pool } from '../../src/pool/api.ts';
import { rowsPart } from '../../src/engine/state/restore.ts';
import { mib, pool, read } from '../pool/support/pools.ts';
import { rounds, seed } from '../support/seed.ts';
import { engine, missingEngine, someTokens } from './support/models.ts';
import { threads } from './support/threads.ts';
import { batchTokens, Played } from './support/played.ts';

vi.mock('node:worker_threads', async (original) =>
  (await import('./support/threads.ts')).watched(await original()),
);

const sessions = 200;
const tenants = ['a', 'b', 'c', 'd'];
const turns: number = rounds(2, 4);
/** Largest difference of logits that batches make. */
const tolerance = 0.05;

interface Session {
  readonly tenant: string;
  readonly sessionId: string;
  tokens: number[];
  /** How much of it may have been computed for this tenant. */
  known: number;
  /** Prompts whose answers it did not wait for. */
  readonly left: number[][];
}

async function turn(one: LlamaEngine, session: Session, random: Random): Promise<void> {
  const { tenant, sessionId, tokens } = session;
  const cancelAt = random.below(10) === 0 ? random.below(8) : -1;
  const asked = one.generate({ tokens, tenant, sessionId, maxTokens: 12, ignoreEnd: true });
  const said: number[] = [];
  try {
    for await (const { token, index } of asked) {
      if (index === cancelAt) break;
      said.push(token);
    }
    if (cancelAt >= 0) {
      session.known = tokens.length;
      session.left.push(tokens);
      return;
    }
    const { cachedTokens } = (await asked.result).usage;
    expect(cachedTokens).toBeLessThanOrEqual(Math.floor(session.known / batchTokens) * batchTokens);
    session.known = tokens.length + said.length;
    session.tokens = [...tokens, ...said, ...someTokens(1 + random.below(30), random.next())];
  } catch (error) {
    if (!hasCode(error, 'engine_worker_lost')) throw error;
    session.known = tokens.length;
  }
}

/** Tokens of a block, from its head. */
function tokensIn(kept: Pool, name: string): { position: number; tokens: number[] } {
  const bytes = read(kept, name, rowsPart) as Buffer;
  const tokens = Array.from({ length: blockTokens }, (_, index) =>
    bytes.readInt32LE(48 + 4 * index),
  );
  return { position: bytes.readInt32LE(8), tokens };
}

/** All blocks in the pool have the names that these conversations give them, answers included that were cancelled, and no other. */
function expectOnlyOurs(kept: Pool, keeper: StateKeeper, all: readonly Session[]): void {
  const ours = new Set<string>();
  const cancelled: [tenant: string, tokens: number[]][] = [];
  const claim = (tenant: string, tokens: readonly number[]): void => {
    const { keys } = keeper.identityOf(tenant, Int32Array.from(tokens));
    for (let block = 0; block < Math.floor(tokens.length / blockTokens); block++) {
      ours.add(nameOf(keys, block));
    }
  };
  for (const { tenant, tokens, left } of all) {
    claim(tenant, tokens);
    for (const each of left) cancelled.push([tenant, each]);
  }
  const names = kept.list({ prefix: 'kv:', limit: 10_000 }).map(({ id }) => id);
  expect(names.length).toBeGreaterThan(0);
  const blocks = names.map((name) => ({ name, ...tokensIn(kept, name) }));
  for (const { name, position, tokens } of blocks.sort((a, b) => a.position - b.position)) {
    if (ours.has(name)) continue;
    for (const [tenant, prompt] of cancelled) {
      const longer = [...prompt.slice(0, position), ...tokens];
      if (longer.length < prompt.length || longer.length % blockTokens !== 0) continue;
      claim(tenant, longer);
      if (ours.has(name)) cancelled.push([tenant, longer]);
      if (ours.has(name)) break;
    }
    expect(ours.has(name), name).toBe(true);
  }
}

function farthest(a: Float32Array, b: Float32Array): number {
  return a.reduce(
    (most, value, index) => Math.max(most, Math.abs(value - (b[index] as number))),
    0,
  );
}

describe.skipIf(missingEngine() !== undefined)('state of conversations', () => {
  it('never crosses sessions or tenants', async () => {
    const kept = await pool({ capacityBytes: 128 * mib });
    const one = await engine({ pool: kept, sequences: 8, queueMax: sessions, salt: 's' });
    const random = new Random(seed());
    const common = someTokens(70, seed());
    const all = Array.from({ length: sessions }, (_, number): Session => {
      const own = someTokens(20 + random.below(60), random.next());
      const tokens = number % 5 === 0 ? [...common, ...own] : [...own];
      const tenant = tenants[number % tenants.length] as string;
      return { tenant, sessionId: `session-${number >> 2}`, tokens, known: 0, left: [] };
    });
    // Of those with the same beginning, one of each tenant has computed it.
    for (const session of all) if (session.tokens.length > 70) session.known = 70;
    for (let number = 0; number < turns; number++) {
      const running = all.map((session) => turn(one, session, random));
      if (number === 1) await threads.at(-1)?.terminate();
      await Promise.all(running);
      await one.flushed();
    }
    const played = new Played();
    const [model] = one.models();
    const keeper = played.keeper(kept, model?.digest, played.libraryVersion);
    expectOnlyOurs(kept, keeper, all);
    let restored = 0;
    for (const { tenant, tokens } of all.slice(0, 60)) {
      const prompt = Int32Array.from(tokens);
      const cached = await keeper.restore(played.context, 0, tenant, prompt, 16);
      const logits = played.prefill(0, prompt, cached);
      played.context.remove(0);
      const expected = played.prefill(0, prompt, 0);
      played.context.remove(0);
      expect(farthest(logits, expected)).toBeLessThanOrEqual(tolerance);
      if (cached > 0) restored += 1;
    }
    expect(restored).toBeGreaterThan(30);
  });
});
