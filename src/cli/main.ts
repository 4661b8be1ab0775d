/** The command line: finds the command, reads its words, runs it, and turns what happens into an exit code. */

import { benchCommand } from './bench.ts';
import { chatCommand } from './chat.ts';
import { checkCommand } from './check.ts';
import { exitOk, exitUsage, parseArguments, UsageError, type Command } from './command.ts';
import { commandHelp, mainHelp } from './help.ts';
import { inspectCommand } from './inspect.ts';
import { processIo, type Io } from './io.ts';
import { keysCommand } from './keys.ts';
import { replayCommand } from './replay.ts';
import { reportError } from './report.ts';
import { restoreCommand } from './restore.ts';
import { serveCommand } from './serve.ts';
import { snapshotCommand } from './snapshot.ts';
import { suggest } from './suggest.ts';
import { tenantsCommand } from './tenants.ts';
import { version } from './version.ts';

export const commands: readonly Command[] = [
  serveCommand,
  inspectCommand,
  checkCommand,
  snapshotCommand,
  restoreCommand,
  replayCommand,
  chatCommand,
  tenantsCommand,
  keysCommand,
  benchCommand,
];

/**
 * Runs the command that `words` (the arguments after `cenote`) name. Never throws: errors are reported.
 * @returns the exit code
 */
export async function main(words: readonly string[], io: Io = processIo()): Promise<number> {
  const json = words.includes('--json');
  try {
    return await dispatch(words, io);
  } catch (error) {
    return reportError(error, json, io);
  }
}

async function dispatch(words: readonly string[], io: Io): Promise<number> {
  const [first, ...rest] = words;
  if (first === undefined) {
    io.stderr.write(mainHelp(commands, version(), io.err));
    return exitUsage;
  }
  if (first === '--version' || first === '-v' || first === 'version') {
    io.stdout.write(`${version()}\n`);
    return exitOk;
  }
  if (first === '--help' || first === '-h' || first === 'help') return help(rest, io);
  const command = findCommand(first);
  const args = parseArguments(command, rest, io.env);
  if (args.flag('help')) {
    io.stdout.write(commandHelp(command, io.out));
    return exitOk;
  }
  return command.run(args, io);
}

function help(words: readonly string[], io: Io): number {
  const [name] = words;
  const page =
    name === undefined
      ? mainHelp(commands, version(), io.out)
      : commandHelp(findCommand(name), io.out);
  io.stdout.write(page);
  return exitOk;
}

/** @throws UsageError */
function findCommand(name: string): Command {
  const command = commands.find((candidate) => candidate.name === name);
  if (command !== undefined) return command;
  const names = commands.map((candidate) => candidate.name);
  const near = suggest(name, names);
  const advice =
    near === undefined
      ? `Commands: ${names.join(', ')}.`
      : `Did you mean ${near}? Commands: ${names.join(', ')}.`;
  const what = name.startsWith('-') ? 'option' : 'command';
  throw new UsageError(`cenote has no ${what} '${name}'`, advice);
}
