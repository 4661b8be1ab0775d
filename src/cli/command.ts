/** What a command is, and how its words become arguments. */

import { parseArgs } from 'node:util';
import { parseInteger } from './format.ts';
import type { Io } from './io.ts';
import { suggest } from './suggest.ts';

export interface OptionSpec {
  readonly help: string;
  /** What the value is called in the help: `PORT`. Absent: the option is a flag. */
  readonly value?: string;
  readonly short?: string;
  /** Environment variable that stands in when the option is not given. */
  readonly env?: string;
  /** What counts when neither is given. */
  readonly fallback?: string;
}

export interface Positional {
  readonly name: string;
  readonly help: string;
  /** Only the last ones can be. */
  readonly optional?: true;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Paragraphs of the help. */
  readonly about: readonly string[];
  readonly positionals: readonly Positional[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly examples: readonly { readonly line: string; readonly what: string }[];
  readonly exitCodes: readonly { readonly code: number; readonly meaning: string }[];
  /** @returns the exit code */
  run(args: Arguments, io: Io): Promise<number>;
}

/** Options of every command. */
export const commonOptions: Readonly<Record<string, OptionSpec>> = {
  json: { help: 'Print data as JSON on stdout, for scripts; errors as JSON on stderr.' },
  help: { help: 'Print this help.', short: 'h' },
};

/** Exit codes that every command shares. */
export const exitOk = 0;
export const exitFailed = 1;
export const exitUsage = 2;
/** As shells count: 128 + SIGINT. */
export const exitInterrupted = 130;

/** The command line itself is wrong: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'invalid_argument';
  readonly advice: string;

  constructor(message: string, advice: string) {
    super(message);
    this.advice = advice;
  }
}

/** Something that the command starts is not there: exit code 1. */
export class NotBuiltError extends Error {
  override readonly name = 'NotBuiltError';
  readonly code = 'not_built';
  readonly advice: string;

  constructor(message: string, advice: string) {
    super(message);
    this.advice = advice;
  }
}

/** A setting and where it came from, so that errors can name it. */
export interface Setting {
  readonly text: string;
  /** `--http`, `CENOTE_HTTP`, or `the default of --http`. */
  readonly source: string;
  readonly given: boolean;
}

export class Arguments {
  readonly positionals: readonly string[];
  readonly #command: Command;
  readonly #values: ReadonlyMap<string, string | true>;
  readonly #env: NodeJS.ProcessEnv;

  constructor(
    command: Command,
    values: ReadonlyMap<string, string | true>,
    positionals: readonly string[],
    env: NodeJS.ProcessEnv,
  ) {
    this.#command = command;
    this.#values = values;
    this.#env = env;
    this.positionals = positionals;
  }

  /** The positional at `index`; parsing has made sure that it is there. */
  positional(index: number): string {
    return this.positionals[index] as string;
  }

  flag(name: string): boolean {
    return this.#values.has(name);
  }

  /** Flag before environment before default; undefined when there is none of them. An empty variable counts as not set. */
  setting(name: string): Setting | undefined {
    const spec = this.#command.options[name];
    const value = this.#values.get(name);
    if (typeof value === 'string') return { text: value, source: `--${name}`, given: true };
    const fromEnv = spec?.env === undefined ? undefined : this.#env[spec.env];
    if (spec?.env !== undefined && fromEnv !== undefined && fromEnv !== '') {
      return { text: fromEnv, source: spec.env, given: true };
    }
    if (spec?.fallback === undefined) return undefined;
    return { text: spec.fallback, source: `the default of --${name}`, given: false };
  }

  /** A setting that has a default. */
  required(name: string): Setting {
    return this.setting(name) as Setting;
  }

  /** @throws invalid_argument */
  integer(name: string, min: number, max: number): number {
    const setting = this.required(name);
    return parseInteger(setting.text, setting.source, min, max);
  }
}

/**
 * Reads the words after the command's name.
 * @throws UsageError
 */
export function parseArguments(
  command: Command,
  words: readonly string[],
  env: NodeJS.ProcessEnv,
): Arguments {
  const specs: Readonly<Record<string, OptionSpec>> = { ...command.options, ...commonOptions };
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(
      Object.entries(specs).map(([name, spec]) => [name, nodeOption(spec)]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values = new Map<string, string | true>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const spec = Object.hasOwn(specs, token.name) ? specs[token.name] : undefined;
    if (spec === undefined) throw unknownOption(command, token.rawName, Object.keys(specs));
    values.set(
      token.name,
      optionValue(command, token.rawName, spec, token.value, token.inlineValue === true),
    );
  }
  if (!values.has('help')) requirePositionals(command, positionals);
  return new Arguments(command, values, positionals, env);
}

function nodeOption(spec: OptionSpec): { type: 'string' | 'boolean'; short?: string } {
  const type = spec.value === undefined ? 'boolean' : 'string';
  return spec.short === undefined ? { type } : { type, short: spec.short };
}

function seeHelp(command: Command): string {
  return `See: cenote ${command.name} --help`;
}

function unknownOption(command: Command, given: string, known: readonly string[]): UsageError {
  const near = suggest(given.replace(/^-+/, ''), known);
  const advice =
    near === undefined ? seeHelp(command) : `Did you mean --${near}? ${seeHelp(command)}`;
  return new UsageError(`cenote ${command.name} has no option '${given}'`, advice);
}

function optionValue(
  command: Command,
  given: string,
  spec: OptionSpec,
  value: string | undefined,
  inline: boolean,
): string | true {
  if (spec.value === undefined) {
    if (inline) throw new UsageError(`${given} takes no value`, seeHelp(command));
    return true;
  }
  const missing = value === undefined || value === '' || (!inline && /^-./.test(value));
  if (missing)
    throw new UsageError(`${given} needs a value: ${given} ${spec.value}`, seeHelp(command));
  return value;
}

function requirePositionals(command: Command, given: readonly string[]): void {
  const missing = command.positionals[given.length];
  if (missing !== undefined && missing.optional !== true) {
    throw new UsageError(
      `cenote ${command.name} needs ${missing.name}: ${missing.help}`,
      seeHelp(command),
    );
  }
  const extra = given[command.positionals.length];
  if (extra !== undefined) {
    throw new UsageError(
      `cenote ${command.name} does not know what to do with '${extra}'`,
      seeHelp(command),
    );
  }
}
