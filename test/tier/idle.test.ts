/** An owner of a pool with a disk tier that did nothing while another let the index grow finds what is in memory in its first call. */

import { describe, expect, it } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { filled, freshPath, mib, read } from '../pool/support/pools.ts';
import { diskPool } from './support/pools.ts';

/** Contexts for which the smallest table has grown twice: whoever has the first one has an empty one. */
const many = 500;

interface Two {
  readonly idle: Pool;
  readonly busy: Pool;
  /** Of the part that both are asked for. */
  readonly version: number;
}

async function two(): Promise<Two> {
  const path = freshPath();
  const busy = await diskPool(path, { capacityBytes: 8 * mib });
  const idle = await diskPool(path);
  const version = busy.put('a', 'p', filled(10, 1));
  busy.put('a', 'q', filled(10, 2));
  return { idle, busy, version };
}

function grow(of: Pool): void {
  for (let i = 0; i < many; i++) of.put(`c-${i}`, 'p', filled(10, i));
}

const asked: readonly (readonly [name: string, ask: (of: Two) => unknown])[] = [
  ['appends to a part', ({ idle }) => idle.append('a', 'p', filled(1, 9))],
  [
    'replaces a part of that version',
    ({ idle, version }) => idle.put('a', 'p', filled(11, 9), { ifVersion: version }),
  ],
  [
    'begins to replace a part of that version',
    ({ idle, version }) => {
      const draft = idle.beginPut('a', 'p', 11, { ifVersion: version });
      draft.write(filled(11, 9));
      draft.commit();
    },
  ],
];

describe('an owner that did nothing while another let the index grow', () => {
  it('persists a context', async () => {
    const { idle, busy } = await two();
    grow(busy);
    await idle.persist('a');
    expect(idle.stats().disk?.persisted).toBe(2);
  });

  it.each(asked)('%s that the disk has too', async (_, ask) => {
    const met = await two();
    await met.busy.persist('a');
    grow(met.busy);
    ask(met);
    expect(read(met.busy, 'a', 'p')).toHaveLength(11);
  });

  it('tells no part that is in memory for one that is on the disk only', async () => {
    const { idle, busy } = await two();
    await busy.persist('a');
    grow(busy);
    expect(idle.coldParts('a')).toEqual([]);
  });
});
