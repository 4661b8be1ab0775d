/** Help pages, from what the commands say of themselves. Pure. */

import type { Palette } from './ansi.ts';
import { commonOptions, type Command, type OptionSpec } from './command.ts';

const width = 80;

/** Breaks text at spaces so that lines, with `indent` in front, stay within the width. */
export function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines;
}

/** Two columns: terms, and what they mean, wrapped beside them. */
function definitions(rows: readonly (readonly [string, string])[]): string[] {
  const termWidth = Math.max(...rows.map(([term]) => term.length));
  const indent = termWidth + 4;
  return rows.flatMap(([term, meaning]) =>
    wrap(meaning, indent).map(
      (line, index) => `  ${(index === 0 ? term : '').padEnd(termWidth)}  ${line}`,
    ),
  );
}

function optionTerm(name: string, spec: OptionSpec): string {
  const short = spec.short === undefined ? '' : `-${spec.short}, `;
  return `${short}--${name}${spec.value === undefined ? '' : ` ${spec.value}`}`;
}

function optionMeaning(spec: OptionSpec): string {
  const env = spec.env === undefined ? '' : ` Environment: ${spec.env}.`;
  const fallback = spec.fallback === undefined ? '' : ` Default: ${spec.fallback}.`;
  return `${spec.help}${env}${fallback}`;
}

export function commandHelp(command: Command, paint: Palette): string {
  const usage = [
    'cenote',
    command.name,
    ...command.positionals.map((p) => (p.optional === true ? `[${p.name}]` : p.name)),
    '[options]',
  ].join(' ');
  const options = Object.entries({ ...command.options, ...commonOptions });
  const lines = [
    `${command.summary}.`,
    '',
    `${paint.bold('Usage:')} ${usage}`,
    ...command.about.flatMap((paragraph) => ['', ...wrap(paragraph, 0)]),
  ];
  if (command.positionals.length > 0) {
    lines.push(
      '',
      paint.bold('Arguments:'),
      ...definitions(command.positionals.map((p) => [p.name, p.help])),
    );
  }
  lines.push(
    '',
    paint.bold('Options:'),
    ...definitions(options.map(([name, spec]) => [optionTerm(name, spec), optionMeaning(spec)])),
    '',
    paint.bold('Examples:'),
    ...command.examples.flatMap(({ line, what }) => [`  ${paint.dim(`# ${what}`)}`, `  ${line}`]),
    '',
    paint.bold('Exit codes:'),
    ...definitions(command.exitCodes.map(({ code, meaning }) => [String(code), meaning])),
  );
  return `${lines.join('\n')}\n`;
}

export function mainHelp(commands: readonly Command[], version: string, paint: Palette): string {
  const lines = [
    `cenote ${version}: context memory pools for AI inference.`,
    '',
    `${paint.bold('Usage:')} cenote COMMAND [options]`,
    '',
    paint.bold('Commands:'),
    ...definitions(commands.map((command) => [command.name, `${command.summary}.`])),
    '',
    paint.bold('Options:'),
    ...definitions([
      ['-h, --help', 'Print this help; after a command, the help of that command.'],
      ['-v, --version', 'Print the version.'],
    ]),
    '',
    paint.bold('Examples:'),
    `  ${paint.dim('# serve contexts over HTTP from a pool in ./data')}`,
    '  cenote serve',
    `  ${paint.dim('# see what is in it, live')}`,
    '  cenote inspect ./data',
    '',
    'Data goes to stdout, messages and progress to stderr. NO_COLOR turns colours off.',
    'Exit codes: 0 done, 1 failed or not ok, 2 the command line is wrong, 130 interrupted.',
  ];
  return `${lines.join('\n')}\n`;
}
