import { describe, expect, it } from 'vitest';
import { Arguments, parseArguments, UsageError, type Command } from '../../src/cli/command.ts';
import { commands, main } from '../../src/cli/main.ts';
import { testIo } from './support/text-io.ts';

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...words: string[]): Promise<Result> {
  const io = testIo();
  const code = await main(words, io);
  return { code, stdout: io.stdout.text, stderr: io.stderr.text };
}

describe('help', () => {
  it.each(commands.map((command) => [command.name, command] as const))(
    'of %s says all there is',
    async (name, command) => {
      const { code, stdout, stderr } = await run(name, '--help');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      for (const title of ['Usage:', 'Options:', 'Examples:', 'Exit codes:'])
        expect(stdout).toContain(title);
      for (const option of Object.keys(command.options)) expect(stdout).toContain(`--${option}`);
      expect(stdout).toContain('--json');
      for (const { line } of command.examples) expect(stdout).toContain(line);
      for (const line of stdout.split('\n')) {
        if (!command.examples.some((example) => line.includes(example.line)))
          expect(line.length).toBeLessThanOrEqual(80);
      }
      expect(await run('help', name)).toEqual({ code, stdout, stderr });
      expect(await run(name, '-h')).toEqual({ code, stdout, stderr });
    },
  );

  it('lists the commands', async () => {
    const { code, stdout } = await run('--help');
    expect(code).toBe(0);
    for (const { name, summary } of commands) {
      expect(stdout).toContain(name);
      expect(stdout.replaceAll(/\s+/g, ' ')).toContain(summary);
    }
    expect(await run('help')).toEqual(await run('-h'));
  });

  it('goes to stderr with exit code 2 when no command is named', async () => {
    const { code, stdout, stderr } = await run();
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain('Commands:');
  });

  it('examples are command lines that parse', () => {
    for (const command of commands) {
      for (const { line } of command.examples) {
        const words = /cenote (\w+) ?([^|&]*)/.exec(line) as RegExpExecArray;
        expect(words[1]).toBe(command.name);
        const given = (words[2] as string).replaceAll(/"[^"]*"/g, 'X').trim();
        expect(parseArguments(command, given === '' ? [] : given.split(' '), {})).toBeInstanceOf(
          Arguments,
        );
      }
    }
  });
});

describe('version', () => {
  it.each(['--version', '-v', 'version'])('%s', async (word) => {
    const { code, stdout } = await run(word);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('usage errors', () => {
  it.each([
    [['serv'], "cenote has no command 'serv'", 'Did you mean serve?'],
    [['frobnicate'], "cenote has no command 'frobnicate'", 'Commands: serve,'],
    [['--frob'], "cenote has no option '--frob'", 'Commands: serve,'],
    [['help', 'serv'], "cenote has no command 'serv'", 'Did you mean serve?'],
    [
      ['serve', '--capcity', '1GiB'],
      "cenote serve has no option '--capcity'",
      'Did you mean --capacity?',
    ],
    [['serve', '-x'], "cenote serve has no option '-x'", 'See: cenote serve --help'],
    [['serve', '--http'], '--http needs a value: --http PORT', 'See: cenote serve --help'],
    [['serve', '--http='], '--http needs a value: --http PORT', 'See: cenote serve --help'],
    [
      ['serve', '--http', '--no-auth'],
      '--http needs a value: --http PORT',
      'See: cenote serve --help',
    ],
    [['serve', '--no-auth=1'], '--no-auth takes no value', 'See: cenote serve --help'],
    [
      ['serve', 'here'],
      "cenote serve does not know what to do with 'here'",
      'See: cenote serve --help',
    ],
    [['check'], 'cenote check needs PATH', 'See: cenote check --help'],
    [['snapshot', './a'], 'cenote snapshot needs DEST', 'See: cenote snapshot --help'],
    [
      ['check', './a', './b'],
      "cenote check does not know what to do with './b'",
      'See: cenote check --help',
    ],
    [
      ['serve', '--__proto__', 'x'],
      "cenote serve has no option '--__proto__'",
      'See: cenote serve --help',
    ],
    [['serve', '--http', '80a'], "--http '80a' is not a whole number", ''],
    [['serve', '--capacity', 'lots'], "--capacity 'lots' is not a size", ''],
    [['serve', '--no-auth', '--host', '0.0.0.0'], 'without authentication is refused', ''],
    [['inspect', '.', '--interval', '0'], "--interval '0' is not a whole number from 1", ''],
  ])('%j', async (words, message, advice) => {
    const { code, stdout, stderr } = await run(...words);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^error\[invalid_argument\]: /);
    expect(stderr).toContain(message);
    expect(stderr).toContain(advice);
  });

  it('are JSON on stderr with --json', async () => {
    const { code, stdout, stderr } = await run('serve', '--capcity', '1GiB', '--json');
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 'invalid_argument',
        message: "cenote serve has no option '--capcity'",
        advice: 'Did you mean --capacity? See: cenote serve --help',
      },
    });
  });

  it('do not let a word steer the terminal', async () => {
    const { stderr } = await run('\x1b[2J');
    expect(stderr).not.toContain('\x1b');
  });
});

describe('settings', () => {
  const command: Command = {
    name: 'try',
    summary: 'Try',
    about: [],
    positionals: [],
    options: {
      port: { value: 'PORT', help: 'A port.', env: 'TRY_PORT', fallback: '8080' },
      data: { value: 'DIR', help: 'A folder.' },
      fast: { help: 'Fast.' },
    },
    examples: [],
    exitCodes: [],
    run: () => Promise.resolve(0),
  };

  it('count flag before environment before default', () => {
    const env = { TRY_PORT: '1' };
    expect(parseArguments(command, ['--port', '2'], env).setting('port')).toEqual({
      text: '2',
      source: '--port',
      given: true,
    });
    expect(parseArguments(command, ['--port=3'], env).integer('port', 0, 9)).toBe(3);
    expect(parseArguments(command, [], env).setting('port')).toEqual({
      text: '1',
      source: 'TRY_PORT',
      given: true,
    });
    expect(parseArguments(command, [], { TRY_PORT: '' }).setting('port')).toEqual({
      text: '8080',
      source: 'the default of --port',
      given: false,
    });
    expect(parseArguments(command, [], {}).setting('data')).toBeUndefined();
  });

  it('name their source in errors', () => {
    expect(() => parseArguments(command, [], { TRY_PORT: 'x' }).integer('port', 0, 9)).toThrow(
      "TRY_PORT 'x' is not",
    );
  });

  it('take the last of a repeated option, and words after -- as they are', () => {
    expect(parseArguments(command, ['--port', '2', '--port', '4'], {}).integer('port', 0, 9)).toBe(
      4,
    );
    expect(() => parseArguments(command, ['--', '--fast'], {})).toThrow(UsageError);
    expect(parseArguments(command, ['--fast'], {}).flag('fast')).toBe(true);
    expect(parseArguments(command, [], {}).flag('fast')).toBe(false);
  });
});
