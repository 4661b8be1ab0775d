import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exitUsage, parseArguments } from '../../src/cli/command.ts';
import { serveCommand } from '../../src/cli/serve.ts';
import { program, Scratch } from '../cli/support/cli.ts';
import { hasCommand, runToEnd } from '../support/children.ts';

const file = 'deploy/cenote.service';

/** Values of a unit file by `Section.Key`, in their order. */
function readUnit(text: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  let section = '';
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const title = /^\[(\w+)\]$/.exec(line)?.[1];
    if (title !== undefined) {
      section = title;
      continue;
    }
    const match = /^(\w+)=(.*)$/.exec(line);
    if (match === null) throw new Error(`no setting: ${line}`);
    const key = `${section}.${match[1]}`;
    values.set(key, [...(values.get(key) ?? []), match[2] as string]);
  }
  return values;
}

const unit = readUnit(readFileSync(file, 'utf8'));

function value(key: string): string {
  expect(unit.get(key), key).toHaveLength(1);
  return unit.get(key)?.[0] as string;
}

/** Whether this machine has systemd's own judge of units. */
const hasAnalyze = hasCommand('systemd-analyze');
const absent = 'no systemd-analyze: apt-get install systemd';

describe('the systemd unit', () => {
  it('starts a command line that parses, with variables that it reads', () => {
    const [executable, command, ...words] = value('Service.ExecStart').split(' ');
    expect(executable).toMatch(/^\/.*\/cenote$/);
    expect(command).toBe(serveCommand.name);
    expect(() => parseArguments(serveCommand, words, {})).not.toThrow();
    const variables = Object.values(serveCommand.options).map(({ env }) => env);
    const set = (unit.get('Service.Environment') ?? []).map((pair) => pair.split('=')[0]);
    for (const name of set.filter((one) => one?.startsWith('CENOTE_')))
      expect(variables).toContain(name);
  });

  it('lets the server end in order, and does not start settings again that are wrong', () => {
    expect(value('Service.KillSignal')).toBe('SIGTERM');
    const [, promised] = /within (\d+) s/.exec(serveCommand.about.join(' ')) as RegExpExecArray;
    expect(Number(value('Service.TimeoutStopSec'))).toBeGreaterThan(Number(promised));
    expect(value('Service.RestartPreventExitStatus')).toBe(String(exitUsage));
  });

  it('keeps its data where it may write', () => {
    const folder = `/var/lib/${value('Service.StateDirectory')}`;
    expect(unit.get('Service.Environment')).toContain(`CENOTE_DATA_DIR=${folder}`);
    expect(value('Service.ProtectSystem')).toBe('strict');
    expect(value('Service.DynamicUser')).toBe('yes');
    // The compiler of V8 writes what it executes.
    expect(unit.has('Service.MemoryDenyWriteExecute')).toBe(false);
  });

  it('is a unit to systemd', (context) => {
    if (!hasAnalyze) context.skip(absent);
    using scratch = new Scratch();
    const copy = scratch.join('cenote.service');
    // systemd asks whether the program is there: here it is the one of this clone.
    const installed = value('Service.ExecStart').split(' ')[0] as string;
    writeFileSync(
      copy,
      readFileSync(file, 'utf8').replace(`ExecStart=${installed}`, `ExecStart=${program}`),
    );
    const verified = runToEnd('systemd-analyze', ['verify', '--man=no', copy]);
    const own = verified.stderr.split('\n').filter((line) => line.includes('cenote.service'));
    expect(own).toEqual([]);
    expect(verified.status).toBe(0);
  });

  it('exposes little', (context) => {
    if (!hasAnalyze) context.skip(absent);
    const words = ['security', '--offline=true', '--threshold=25', file];
    const { status, stdout } = runToEnd('systemd-analyze', words);
    expect(stdout).toContain('Overall exposure level');
    expect(status).toBe(0);
  });
});
