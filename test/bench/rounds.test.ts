import { describe, expect, it } from 'vitest';
import { measure, sinkValue, type Subject } from '../../bench/harness/rounds.ts';

/** Notes who ran what; takes no time to speak of. */
function recorder(name: string, calls: string[]): Subject {
  return {
    name,
    run(from, to) {
      calls.push(`${name} ${from}–${to}`);
      return 1;
    },
  };
}

const plan = { operations: 10, batch: 4, rounds: 3, log: () => {} };

describe('measure', () => {
  it('cuts a round into batches, the last one shorter', async () => {
    const calls: string[] = [];
    await measure([recorder('a', calls)], { ...plan, rounds: 1 });
    expect(calls.slice(-3)).toEqual(['a 0–4', 'a 4–8', 'a 8–10']);
  });

  it('lets subjects take turns after each has warmed up', async () => {
    const calls: string[] = [];
    const whole = { ...plan, batch: 10 };
    await measure([recorder('ours', calls), recorder('peer', calls)], whole);
    expect(calls.slice(-6).map((call) => call.split(' ')[0])).toEqual([
      'ours',
      'peer',
      'ours',
      'peer',
      'ours',
      'peer',
    ]);
    const warm = calls.slice(0, -6);
    expect(warm.lastIndexOf('ours 0–10')).toBeLessThan(warm.indexOf('peer 0–10'));
    expect(warm.filter((call) => call.startsWith('ours')).length).toBeGreaterThanOrEqual(2);
  });

  it('reports rounds and batches of the measured rounds only', async () => {
    const [measured] = await measure([recorder('a', [])], plan);
    expect(measured?.roundsNs).toHaveLength(3);
    expect(measured?.histogram.count).toBe(9);
    expect(measured?.roundsNs.every((value) => value >= 0)).toBe(true);
  });

  it('prepares before every round and takes a subject’s own number of operations', async () => {
    const calls: string[] = [];
    const subject: Subject = {
      ...recorder('a', calls),
      operations: 2,
      prepare: async () => {
        await Promise.resolve();
        calls.push('prepare');
      },
    };
    await measure([subject], plan);
    expect(new Set(calls)).toEqual(new Set(['prepare', 'a 0–2']));
    expect(calls.every((call, index) => (index % 2 === 0) === (call === 'prepare'))).toBe(true);
  });

  it('ends the warm-up when two rounds in a row agree', async () => {
    const tookMs = [50, 20, 10, 10, 7, 8, 9];
    let round = 0;
    let nowMs = 0;
    const subject: Subject = {
      name: 'a',
      run() {
        nowMs += tookMs[round] as number;
        round += 1;
        return 0;
      },
    };
    const once = { operations: 5, batch: 5, rounds: 3, log: plan.log, nowMs: () => nowMs };
    const [measured] = await measure([subject], once);
    expect(measured?.settled).toBe(true);
    expect(measured?.roundsNs).toEqual([7e6 / 5, 8e6 / 5, 9e6 / 5]);
  });

  it('folds what subjects return, so that nothing is dead code', async () => {
    const before = sinkValue();
    await measure([recorder('a', [])], plan);
    expect(sinkValue()).not.toBe(before);
  });

  it('gives up warming up a subject that never settles, and says so', async () => {
    const lines: string[] = [];
    let nowMs = 0;
    let round = 0;
    const wild: Subject = {
      name: 'wild',
      run() {
        round += 1;
        nowMs += round % 2 === 0 ? 1 : 2;
        return round;
      },
    };
    const log = (line: string): unknown => lines.push(line);
    const [measured] = await measure([wild], {
      operations: 1,
      batch: 1,
      rounds: 2,
      log,
      nowMs: () => nowMs,
    });
    expect(measured?.roundsNs).toEqual([2e6, 1e6]);
    expect(measured?.settled).toBe(false);
    expect(lines.join()).toContain('wild');
  });
});
