import { cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { serveCommand } from '../../src/cli/serve.ts';
import { routes } from '../../src/server/http/routes.ts';
import { Scratch, Serving } from '../cli/support/cli.ts';
import { runToEnd } from '../support/children.ts';

const root = process.cwd();

interface Instruction {
  readonly name: string;
  readonly rest: string;
}

interface Stage {
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

/** Stages of a Dockerfile, each with what follows its FROM. */
function readDockerfile(file: string): Stage[] {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: { name: string | undefined; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const match = /^([A-Z]+) +(.+)$/.exec(line);
    if (match === null) throw new Error(`no instruction: ${line}`);
    const [, name = '', rest = ''] = match;
    if (name === 'FROM') stages.push({ name: / AS (\w+)$/.exec(rest)?.[1], instructions: [] });
    else stages.at(-1)?.instructions.push({ name, rest });
  }
  return stages;
}

const stages = readDockerfile('deploy/Dockerfile');
const final = stages.at(-1) as Stage;

function all(stage: Stage, name: string): string[] {
  return stage.instructions.filter((one) => one.name === name).map((one) => one.rest);
}

function only(name: string): string {
  const found = all(final, name);
  expect(found, name).toHaveLength(1);
  return found[0] as string;
}

/** Sources and destination of a COPY. */
function copied(rest: string): { from: string | undefined; sources: string[]; to: string } {
  const words = rest.split(/ +/);
  const from = /^--from=(\w+)$/.exec(words[0] as string)?.[1];
  const paths = from === undefined ? words : words.slice(1);
  return { from, sources: paths.slice(0, -1), to: paths.at(-1) as string };
}

function environment(): Map<string, string> {
  const pairs = all(final, 'ENV').flatMap((rest) => rest.split(/ +/));
  return new Map(pairs.map((pair) => pair.split('=', 2) as [string, string]));
}

describe('the Dockerfile', () => {
  it('has instructions that Docker knows, and stages that are there', () => {
    const known =
      'RUN CMD EXPOSE ENV COPY ENTRYPOINT VOLUME USER WORKDIR STOPSIGNAL HEALTHCHECK'.split(' ');
    for (const { instructions } of stages) {
      for (const { name } of instructions) expect(known).toContain(name);
    }
    const names = stages.map((stage) => stage.name);
    for (const { from } of all(final, 'COPY').map(copied)) {
      if (from !== undefined) expect(names).toContain(from);
    }
  });

  it('copies files that are there and that the build is given', () => {
    const given = readFileSync('deploy/Dockerfile.dockerignore', 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    for (const name of given) expect(existsSync(name), name).toBe(true);
    const wanted = stages
      .flatMap((stage) => all(stage, 'COPY').map(copied))
      .filter(({ from }) => from === undefined)
      .flatMap(({ sources }) => sources);
    expect(new Set(wanted)).toEqual(new Set(given));
  });

  it('builds with scripts that the package has, and runs none of its dependencies', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      readonly scripts: Record<string, string>;
    };
    const commands = stages
      .flatMap((stage) => all(stage, 'RUN'))
      .flatMap((rest) => rest.split(' && '));
    const npm = commands.filter((command) => command.startsWith('npm '));
    for (const command of npm) {
      const [, verb, name = ''] = command.split(' ');
      if (verb === 'run') expect(Object.keys(scripts)).toContain(name);
      else expect(command).toContain('--ignore-scripts');
    }
    expect(npm.length).toBeGreaterThan(0);
  });

  it('sets what `cenote serve` reads, and exposes where it listens', () => {
    const options = Object.values(serveCommand.options);
    const variables = new Set(options.map(({ env }) => env));
    for (const name of environment().keys()) {
      if (name.startsWith('CENOTE_')) expect(variables).toContain(name);
    }
    const ports = options.filter(({ value }) => value === 'PORT').map(({ fallback }) => fallback);
    expect(only('EXPOSE').split(' ')).toEqual(expect.arrayContaining(ports));
    expect(only('VOLUME')).toBe(environment().get('CENOTE_DATA_DIR'));
    expect(only('STOPSIGNAL')).toBe('SIGTERM');
    expect(only('USER')).not.toMatch(/^(root|0)$/);
    expect(JSON.parse(only('CMD'))).toEqual([serveCommand.name]);
  });

  it('starts from what it copies', () => {
    using scratch = new Scratch();
    for (const { from, sources, to } of all(final, 'COPY').map(copied)) {
      for (const source of sources) {
        // What the build stage has made is in this clone, too, beside its sources.
        const here = from === undefined ? source : source.replace(/^\/build\//, '');
        const target = to === './' ? scratch.join(path.basename(here)) : scratch.join(to);
        if (here === 'node_modules') symlinkSync(path.join(root, here), target);
        else cpSync(here, target, { recursive: true });
      }
    }
    const entry = (JSON.parse(only('ENTRYPOINT')) as string[])[1] as string;
    const program = entry.replace(`${only('WORKDIR')}/`, '');
    const started = runToEnd(process.execPath, [scratch.join(program), 'serve', '--help']);
    expect(started).toMatchObject({ status: 0, stderr: '' });
    expect(started.stdout).toContain('--data');
  });

  it('asks the health of a server as that answers', async () => {
    const check = /CMD (\[.*\])$/.exec(only('HEALTHCHECK'))?.[1] as string;
    const [, ...words] = JSON.parse(check) as string[];
    const asked = /http:\/\/127\.0\.0\.1:(\d+)(\/\w+)/.exec(words.join(' ')) as RegExpExecArray;
    expect(asked[1]).toBe(serveCommand.options['http']?.fallback);
    expect(routes.find((route) => route.path === asked[2])?.open).toBe(true);
    using scratch = new Scratch();
    const server = await Serving.start(['--http', '0', '--data', scratch.join('data')]);
    const { port } = new URL(server.url);
    const health = (): number | null =>
      runToEnd(
        process.execPath,
        words.map((word) => word.replace(`:${asked[1]}/`, `:${port}/`)),
      ).status;
    expect(health()).toBe(0);
    await server.stop();
    expect(health()).toBe(1);
  });
});
