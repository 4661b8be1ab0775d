/** What falls due falls due in order, whatever was moved and taken out before. */

import { expect, test } from 'vitest';
import { DueHeap, type Due } from '../../../src/engine/batch/due-heap.ts';
import { rounds, seed } from '../../support/seed.ts';
import { fc } from '../../support/properties.ts';

const anyDeed = fc.record({
  which: fc.nat(15),
  dueMs: fc.oneof(fc.nat(20), fc.constant(Infinity)),
  deed: fc.constantFrom('set', 'set', 'delete', 'take'),
});

test('a heap gives what is due, soonest first, and nothing else', () => {
  const property = fc.property(fc.array(anyDeed, { maxLength: 80, size: 'max' }), (deeds) => {
    const heap = new DueHeap<Due>();
    const members = Array.from({ length: 16 }, (): Due => ({
      dueMs: Infinity,
      dueTurn: 0,
      heapIndex: -1,
    }));
    const oracle = new Map<Due, number>();
    for (const { which, dueMs, deed } of deeds) {
      const member = members[which]!;
      const soonestMs = Math.min(Infinity, ...oracle.values());
      expect(heap.nextMs).toBe(soonestMs);
      expect(heap.size).toBe(oracle.size);
      if (deed === 'take') {
        const taken = heap.take(which);
        expect(taken === undefined).toBe(soonestMs > which);
        if (taken === undefined) continue;
        // The first of those that were set to that time: a Map is in the order of setting.
        const [first] = [...oracle].find((entry) => entry[1] === soonestMs) ?? [];
        expect(taken).toBe(first);
        oracle.delete(taken);
      } else if (deed === 'delete' || dueMs === Infinity) {
        heap.set(member, Infinity);
        oracle.delete(member);
      } else {
        heap.set(member, dueMs);
        oracle.delete(member);
        oracle.set(member, dueMs);
      }
    }
  });
  fc.assert(property, { seed: seed(), numRuns: rounds(300, 3000) });
});
