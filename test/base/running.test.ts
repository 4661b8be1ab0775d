import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { isRunning } from '../../src/base/running.ts';
import { until } from '../support/until.ts';

it('knows a process as long as it runs, and not this one', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const pid = child.pid as number;
  expect(isRunning(pid)).toBe(true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isRunning(pid)).toBe(false);
  expect([process.pid, 0, -1, 1.5, Number.NaN].map(isRunning)).toEqual(Array(5).fill(false));
});

it.runIf(process.platform === 'linux')(
  'does not take a dead one for running that nobody has waited for',
  async () => {
    // The shell becomes a program that does not ask what has become of its children.
    const program = 'exec 3<&0; read line <&3 & echo $!; exec sleep 60';
    const parent = spawn('sh', ['-c', program], { stdio: ['pipe', 'pipe', 'ignore'] });
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    await until(() => readFileSync(`/proc/${parent.pid}/comm`, 'latin1') === 'sleep\n');
    expect(isRunning(pid)).toBe(true);
    parent.stdin.end('\n');
    await until(() => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1')));
    expect(isRunning(pid)).toBe(false);
  },
);
