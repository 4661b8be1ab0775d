/** Memory pressure, as kernels have told of it, and a pool that answers. */

import { describe, expect, it } from 'vitest';
import { isUnderPressure, PressureRelief } from '../../src/pool/pressure.ts';
import { testClock } from './support/pools.ts';

const gib = 2 ** 30;

const calm = `some avg10=0.00 avg60=0.05 avg300=0.21 total=58761459
full avg10=0.00 avg60=0.03 avg300=0.15 total=41203377
`;
const stalled = `some avg10=12.78 avg60=8.31 avg300=2.94 total=91648817
full avg10=9.02 avg60=6.11 avg300=2.10 total=70110942
`;
/** Others wait for processors; that says nothing of memory. */
const fullOnly = `some avg10=9.99 avg60=80.31 avg300=20.94 total=91648817
full avg10=99.02 avg60=60.11 avg300=20.10 total=70110942
`;

type Files = Readonly<Record<string, string>>;

function reader(files: Files): (path: string) => string {
  return (path) => {
    const text = files[path];
    if (text === undefined) throw new Error(`ENOENT: ${path}`);
    return text;
  };
}

const group = '/system.slice/cenote.service';

function container(currentBytes: number, max: string, inactiveFileBytes = 0, at = group): Files {
  const folder = `/sys/fs/cgroup${at === '/' ? '' : at}`;
  return {
    '/proc/pressure/memory': calm,
    '/proc/self/cgroup': `0::${at}\n`,
    [`${folder}/memory.current`]: `${Math.floor(currentBytes)}\n`,
    [`${folder}/memory.max`]: `${max}\n`,
    [`${folder}/memory.stat`]: `anon 1000\nfile 2000\ninactive_anon 900\ninactive_file ${Math.floor(inactiveFileBytes)}\nactive_file 7\n`,
  };
}

describe('pressure', () => {
  it.each<[string, Files, boolean]>([
    ['nothing is told', {}, false],
    ['nobody waits', { '/proc/pressure/memory': calm }, false],
    ['tasks wait for memory', { '/proc/pressure/memory': stalled }, true],
    ['some wait a little', { '/proc/pressure/memory': fullOnly }, false],
    ['the text is another', { '/proc/pressure/memory': 'some avg10=lots\n' }, false],
    ['a container is nearly full', container(0.95 * gib, String(gib)), true],
    ['a container in its own namespace is', container(0.95 * gib, String(gib), 0, '/'), true],
    ['a container has room', container(0.89 * gib, String(gib)), false],
    ['what fills it can be forgotten', container(0.95 * gib, String(gib), 0.2 * gib), false],
    ['a container has no bound', container(95 * gib, 'max'), false],
    [
      'groups are of version 1',
      {
        '/proc/self/cgroup': '4:memory:/jobs/7\n1:cpu:/\n0::/\n',
        '/sys/fs/cgroup/memory/jobs/7/memory.usage_in_bytes': '99',
      },
      false,
    ],
  ])('when %s', (_, files, expected) => {
    expect(isUnderPressure(reader(files))).toBe(expected);
  });
});

describe('relief', () => {
  it('comes when there is pressure, and not again before a minute has passed', () => {
    const clock = testClock();
    let files: Files = { '/proc/pressure/memory': calm };
    let trims = 0;
    const pool = { trim: () => ++trims * 4096 };
    const relief = new PressureRelief(pool, (path) => reader(files)(path), clock);
    const look = (afterMs: number): number => {
      clock.advance(afterMs);
      return relief.look();
    };
    expect(look(5000)).toBe(0);
    files = { '/proc/pressure/memory': stalled };
    expect(look(5000)).toBe(4096);
    expect(look(5000)).toBe(0);
    expect(look(54_999)).toBe(0);
    expect(look(1)).toBe(8192);
    files = { '/proc/pressure/memory': calm };
    expect(look(60_000)).toBe(0);
    files = { '/proc/pressure/memory': stalled };
    expect(look(0)).toBe(12_288);
    // A clock that is set back keeps nobody waiting.
    expect(look(-3_600_000)).toBe(16_384);
    expect(trims).toBe(4);
  });

  it('that fails is tried again after a while', () => {
    const clock = testClock();
    const pool = {
      trim: (): number => {
        throw new Error('busy');
      },
    };
    const relief = new PressureRelief(pool, reader({ '/proc/pressure/memory': stalled }), clock);
    expect(() => relief.look()).toThrow('busy');
    expect(relief.look()).toBe(0);
    clock.advance(60_000);
    expect(() => relief.look()).toThrow('busy');
  });
});
