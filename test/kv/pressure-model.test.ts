/** Random work through the pressure ladder, far more of it than there is room for: it always goes on, and no block is lost or owned twice. */

import { describe, expect, test } from 'vitest';
import {
  KvCache,
  later,
  noRoom,
  Offload,
  PressureLadder,
  type Transfer,
} from '../../src/kv/index.ts';
import { rounds, seed } from '../support/seed.ts';
import { fc } from '../support/properties.ts';

const blocks = 10;
const blockTokens = 4;

const anyDeed = fc.record({
  deed: fc.constantFrom(
    'prefill',
    'decode',
    'append',
    'fork',
    'reserve',
    'end',
    'abort',
    'complete',
    'cancel',
  ),
  which: fc.nat(5),
  amount: fc.nat(19),
});

describe.each([
  ['lru', 'fcfs', 0],
  ['lru', 'priority', 6],
  ['lfu', 'fcfs', 6],
  ['hazard', 'priority', 0],
  ['hazard', 'fcfs', 6],
] as const)('%s, %s, %d slots elsewhere:', (policy, order, slots) => {
  test('whoever waits is told, the rest goes on', () => {
    const property = fc.property(fc.array(anyDeed, { maxLength: 200, size: 'max' }), (deeds) => {
      const kv = new KvCache({ blocks, blockTokens, requestsMax: 4, policy, seed: seed() });
      const offload = slots === 0 ? undefined : new Offload(kv, { slots, transfersMax: 2 });
      const running: number[] = [];
      const transfers: Transfer[] = [];
      const ladder = new PressureLadder(kv, {
        order,
        ...(offload === undefined ? {} : { offload }),
        preempted(sequence, transfer) {
          running.splice(running.indexOf(sequence), 1);
          if (transfer !== undefined) transfers.push(transfer);
        },
      });
      for (const { deed, which, amount } of deeds) {
        const sequence = running[which % Math.max(1, running.length)];
        const tokens = Int32Array.from({ length: amount + 1 }, (_, i) => which + i);
        if (deed === 'prefill') {
          const begun = ladder.prefill(tokens, {
            priority: amount % 3,
            lookUp: amount % 5 > 0,
            computed: amount % 7 > 0,
          });
          if (begun !== noRoom) running.push(begun);
        } else if (deed === 'complete' || deed === 'cancel') {
          const transfer = transfers.pop();
          if (transfer !== undefined) offload?.[deed](transfer.id);
        } else if (sequence === undefined) continue;
        else if (deed === 'fork') {
          const fork = kv.fork(sequence);
          if (fork !== noRoom) running.push(fork);
        } else if (deed === 'reserve') kv.reserve(sequence, amount);
        else if (deed === 'end' || deed === 'abort') {
          kv[deed](sequence);
          running.splice(running.indexOf(sequence), 1);
        } else {
          const length = kv.length(sequence);
          const added = deed === 'append' ? tokens.length : 1;
          const result =
            deed === 'append' ? ladder.append(sequence, tokens) : ladder.decode(sequence, amount);
          // All or nothing; who is told that there is no room is the one that waits.
          if (result === noRoom) expect(running).not.toContain(sequence);
          else expect(kv.length(sequence)).toBe(length + (result === later ? 0 : added));
          if (result === later) expect(transfers.length).toBeGreaterThan(0);
        }
        const { free, idle, used, sequences } = kv.stats();
        expect([free + idle + used, sequences]).toEqual([blocks, running.length]);
        const held = new Set(running.flatMap((each) => [...kv.table(each)]));
        expect(held.size).toBeLessThanOrEqual(used);
      }
      for (const { id } of transfers) offload?.complete(id);
      for (const each of running) kv.end(each);
      expect(kv.stats()).toMatchObject({ used: 0, sequences: 0 });
      expect(kv.reset()).toBe(true);
    });
    fc.assert(property, { seed: seed(), numRuns: rounds(100, 1000) });
  });
});
