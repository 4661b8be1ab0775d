/** How errors reach people and scripts. */

import { CenoteError } from '../errors.ts';
import { printable } from './ansi.ts';
import { exitFailed, exitInterrupted, exitUsage, NotBuiltError, UsageError } from './command.ts';
import type { Io } from './io.ts';

interface Described {
  readonly code: string;
  readonly message: string;
  readonly advice: string;
}

/** `error[code]: message` and the advice under it, or one line of JSON. Returns the exit code. */
export function reportError(error: unknown, json: boolean, io: Io): number {
  const described = describe(error);
  if (json) {
    io.stderr.write(`${JSON.stringify({ error: described })}\n`);
  } else {
    io.stderr.write(
      `${io.err.red(io.err.bold(`error[${described.code}]:`))} ${printable(described.message)}\n`,
    );
    io.stderr.write(`  ${described.advice}\n`);
    if (described.code === 'internal' && error instanceof Error) {
      io.stderr.write(`${io.err.dim(error.stack ?? '')}\n`);
    }
  }
  return exitCodeOf(error);
}

function describe(error: unknown): Described {
  if (
    error instanceof CenoteError ||
    error instanceof UsageError ||
    error instanceof NotBuiltError
  ) {
    return { code: error.code, message: messageOf(error), advice: error.advice };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'internal',
    message,
    advice: 'This is a defect of cenote: please report it with the lines below.',
  };
}

/** The message, with that of the system error beneath it, which says what the operating system refused. */
function messageOf(error: Error): string {
  const cause = error.cause;
  if (
    !(cause instanceof Error) ||
    cause instanceof CenoteError ||
    error.message.includes(cause.message)
  )
    return error.message;
  return `${error.message} (${cause.message})`;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitUsage;
  if (!(error instanceof CenoteError)) return exitFailed;
  if (error.code === 'aborted') return exitInterrupted;
  return error.code === 'invalid_argument' ? exitUsage : exitFailed;
}
