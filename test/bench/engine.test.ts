import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { readArgs } from '../../bench/args.ts';
import { requestRow } from '../../bench/engine/rows.ts';
import { conversationShapes } from '../../bench/engine/shapes.ts';
import { engineTable } from '../../bench/engine/table.ts';

const room = 1024;

beforeEach(() => {
  vi.stubEnv('CENOTE_DATA', '/nowhere');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

it('conversations go on, and the longest fills the context as far as rounding lets it', async () => {
  const { conversations, from } = await conversationShapes(8, room);
  expect(from).toMatch(/^8 conversations of generated conversation, lengths × 1\/\d+\.\d$/);
  expect(conversations).toHaveLength(8);
  const lengths = conversations.map((turns) => {
    expect(turns.length).toBeGreaterThanOrEqual(3);
    return turns.reduce((sum, { newTokens, answerTokens }) => {
      expect([newTokens > 0, answerTokens > 0]).toEqual([true, true]);
      return sum + newTokens + answerTokens;
    }, 0);
  });
  expect(Math.max(...lengths)).toBeLessThanOrEqual(room);
  expect(Math.max(...lengths)).toBeGreaterThan(room * 0.9);
});

it('a row has the quantiles of its latencies, and the price of a million requests', () => {
  const times = {
    name: 'batches',
    roundsNs: [36e6],
    latenciesNs: [1e9, 3e9, 5e9],
    firstNs: [2e9],
  };
  const row = requestRow('requests', times, { note: 'n', memoryBytes: 2 ** 30, pricePerHour: 0.1 });
  expect([row.p50Ns, row.p99Ns, row.firstToken?.p50Ns]).toEqual([3e9, 4.96e9, 2e9]);
  // 36 ms are 10^-5 hours.
  expect(row.costPerMillion).toBeCloseTo(1, 9);
  const table = engineTable([row], 0.1);
  expect(table).toMatch(
    /requests +batches +3,000 +4,800 +4,960 +2,000 +2,000 +27\.8 +1,024 +1\.00\n/,
  );
  expect(table).toContain('requests: n\n');
  expect(table).toContain('a machine for 0.1 an hour');
});

it('the price of an hour is read', () => {
  expect(readArgs(['engine', '--price-per-hour', '2.5']).pricePerHour).toBe(2.5);
  expect(readArgs(['engine']).pricePerHour).toBe(0.1);
  expect(() => readArgs(['engine', '--price-per-hour', '-1'])).toThrow('--price-per-hour');
});
