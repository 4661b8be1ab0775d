/** Instances that cannot begin: when the next one is tried. Threads are made up, and time stands still. */

import { EventEmitter } from 'node:events';
import { beforeEach, expect, it, vi } from 'vitest';
import { Crew } from '../../../src/engine/instances/crew.ts';
import { configOf } from '../../../src/engine/requests.ts';
import type { FromInstance, InstanceModel } from '../../../src/engine/worker/protocol.ts';
import { ManualTime } from '../batch/manual-time.ts';

const threads = vi.hoisted((): EventEmitter[] => []);

vi.mock('node:worker_threads', async (original) => ({
  ...(await original<object>()),
  Worker: class extends EventEmitter {
    constructor() {
      super();
      threads.push(this);
    }

    postMessage(): void {
      // What it is asked for does not matter.
    }

    terminate(): void {
      this.emit('exit', 1);
    }
  },
}));

let timers: ManualTime;
let crew: Crew;

beforeEach(() => {
  threads.length = 0;
  timers = new ManualTime();
  const config = configOf({ modelPath: 'a.gguf', timers });
  const events = { ready: () => undefined, changed: () => undefined };
  crew = new Crew(config, { digest: 'd', stamp: 's' }, events);
});

function tell(message: FromInstance): void {
  threads.at(-1)?.emit('message', message);
}

/** @returns how long until the next is tried */
function failing(code: 'engine_model_invalid' | 'engine_worker_lost'): number {
  const before = threads.length;
  expect(crew.scale(timers.nowMs(), undefined)).toBe(Infinity);
  expect(threads).toHaveLength(before + 1);
  expect(crew.failure).toBeUndefined();
  tell({ type: 'broken', failure: { code, message: 'It cannot.' } });
  expect(crew.size).toBe(0);
  if (crew.failure === undefined) return 0;
  expect(crew.failure.code).toBe(code);
  const atMs = crew.scale(timers.nowMs(), 0);
  expect(threads).toHaveLength(before + 1);
  return atMs - timers.nowMs();
}

it('an instance that cannot begin is tried again, each time after twice as long, up to a minute', async () => {
  const waits: number[] = [];
  for (let round = 0; round < 9; round++) {
    const waitMs = failing('engine_model_invalid');
    waits.push(waitMs);
    await timers.advance(waitMs);
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
});

it('one that dies is replaced at once, the third time in a row after a while', () => {
  const waits = Array.from({ length: 3 }, () => failing('engine_worker_lost'));
  expect(waits).toEqual([0, 0, 1000]);
});

it('one that begins makes all before it forgotten', async () => {
  failing('engine_model_invalid');
  await timers.advance(1000);
  failing('engine_model_invalid');
  await timers.advance(2000);
  crew.scale(timers.nowMs(), undefined);
  tell({ type: 'ready', model: {} as InstanceModel });
  expect(crew.failure).toBeUndefined();
  threads.at(-1)?.emit('exit', 1);
  expect(failing('engine_model_invalid')).toBe(1000);
});
