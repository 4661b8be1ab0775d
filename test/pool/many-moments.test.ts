/**
 * A reader looks while another owner has the pen, and between any two accesses of the reader that one goes on with its change: what is read is what
 * was there before or after. That the pen was not given on meanwhile says nothing.
 */

import assert from 'node:assert/strict';
import { describe, it, vi } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { appendHeld } from '../../src/store/append.ts';
import { removeParts } from '../../src/store/contexts.ts';
import type { Store } from '../../src/store/store.ts';
import { accessCount, disarm, interrupt } from '../support/instrumented-words.ts';
import { Stage } from './support/interleaving.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

function told(what: unknown): string {
  return JSON.stringify(what, (key, value: unknown) => (key === 'uses' ? 0 : value)) ?? 'nothing';
}

function appendTo(store: Store, part: string): void {
  store.key.set('a', part);
  appendHeld(store, specOfBytes, Uint8Array.of(1));
}

const looks: readonly [name: string, look: (of: Pool) => string][] = [
  ['describe', (of) => told(of.describe('a', 'p'))],
  ['context', (of) => told(of.context('a'))],
  ['has', (of) => told(of.has('a'))],
];

const specOfBytes = {
  kind: 4,
  element: 0,
  pinned: false,
  sensitive: false,
  expiresAtMs: 0,
  tags: [],
  ifVersion: undefined,
  checkedEpoch: undefined,
  returning: undefined,
};

const changes: readonly [name: string, change: (store: Store) => unknown][] = [
  ['deletes the context', (store) => removeParts(store, 'a', undefined, undefined)],
  ['deletes the part', (store) => removeParts(store, 'a', 'p', undefined)],
  ['appends to it', (store) => appendTo(store, 'p')],
  [
    'appends to another part, and to it',
    (store) => ['q', 'p'].map((part) => appendTo(store, part)),
  ],
];

describe.each(looks)('%s, while the holder of the pen', (_, look) => {
  it.each(changes)('%s, sees the state before or after', (__, change) => {
    const stage = new Stage();
    const before = look(stage.writer().pool);
    const counted = stage.writer();
    const reader = stage.join();
    counted.store.pen.take();
    interrupt(Infinity, () => undefined);
    look(reader);
    const accesses = accessCount();
    disarm();
    change(counted.store);
    counted.store.pen.give();
    const after = look(reader);
    for (let k = 1; k <= accesses; k++) {
      const holder = stage.writer();
      const joined = stage.join();
      holder.store.pen.take();
      interrupt(k, () => void change(holder.store));
      const seen = look(joined);
      disarm();
      holder.store.pen.give();
      assert([before, after].includes(seen), `access ${k} of ${accesses}: ${seen}`);
    }
  });
});
