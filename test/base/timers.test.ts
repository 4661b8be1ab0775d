/** Time that one can wait for: the system's own, and what is made of it. */

import { expect, test } from 'vitest';
import { Alarm, Soon, systemTimers } from '../../src/base/timers.ts';
import { until } from '../support/until.ts';

test('a clock that does not go back, since 1970', () => {
  const beforeMs = systemTimers.nowMs();
  expect(systemTimers.nowMs()).toBeGreaterThanOrEqual(beforeMs);
  expect(Math.abs(beforeMs - Date.now())).toBeLessThan(24 * 3_600_000);
});

test('an alarm rings once, at the time that was set last', async () => {
  let rings = 0;
  const alarm = new Alarm(systemTimers, () => (rings += 1));
  alarm.set(systemTimers.nowMs() + 3_600_000);
  alarm.set(systemTimers.nowMs() + 1);
  await until(() => rings > 0);
  alarm.set(systemTimers.nowMs() - 5);
  await until(() => rings > 1);
  expect(rings).toBe(2);
});

test('an alarm that is taken back does not ring', async () => {
  let rings = 0;
  const alarm = new Alarm(systemTimers, () => (rings += 1));
  alarm.set(systemTimers.nowMs());
  alarm.set(Infinity);
  let later = false;
  systemTimers.wakeAt(systemTimers.nowMs() + 2, () => (later = true));
  await until(() => later);
  expect(rings).toBe(0);
});

test('what is asked for several times is done once, soon, and again when it is asked for again', async () => {
  let done = 0;
  const soon = new Soon(systemTimers, () => (done += 1));
  soon.ask();
  soon.ask();
  expect(done).toBe(0);
  await until(() => done > 0);
  soon.ask();
  await until(() => done > 1);
  expect(done).toBe(2);
});
