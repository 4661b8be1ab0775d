/** What a command is, and how one is found. */

import type { Scope } from '../../guard/api.ts';
import type { Arguments } from './arguments.ts';
import type { Session } from './session.ts';

/** The part that a large value becomes. */
export interface Place {
  readonly id: string;
  readonly part: string;
}

export interface Command {
  /** In lower case. */
  readonly name: string;
  /** Arguments with the name; negative: at least so many. */
  readonly arity: number;
  /** What the caller must be allowed; `session`: nothing; `anyone`: not even to have authenticated. */
  readonly needs: Scope | 'session' | 'anyone';
  /** Keys are the arguments from `first` to `last` (negative: from the end), every `step`; 0: it has none. */
  readonly keys: readonly [first: number, last: number, step: number];
  readonly summary: string;
  /** What becomes of a large argument: a part, or (`gather`) an argument like others. Default: it is refused. */
  readonly large?: (args: Arguments, index: number) => Place | 'gather' | undefined;
  /** The command reserves what it uses, once it knows how much that is. */
  readonly reservesItself?: boolean;
  /** Looks at one part, however many there are. */
  readonly isQuick?: boolean;
  /** Replies exactly once, or throws before it has replied anything. */
  readonly run: (session: Session, args: Arguments) => void;
}

export class CommandTable {
  readonly all: readonly Command[];
  readonly #byHash = new Map<number, Command>();

  constructor(commands: readonly Command[]) {
    this.all = commands;
    for (const command of commands) {
      const hash = hashOf(Buffer.from(command.name), 0, command.name.length);
      if (this.#byHash.has(hash)) throw new Error(`two commands hash like ${command.name}`);
      this.#byHash.set(hash, command);
    }
  }

  /** The command that argument `index` names, in either case. */
  find(args: Arguments, index: number = 0): Command | undefined {
    const { buffer, starts, ends } = args;
    const hash = hashOf(buffer, starts[index] as number, ends[index] as number);
    const command = this.#byHash.get(hash);
    return command !== undefined && args.is(index, command.name) ? command : undefined;
  }
}

/** Longest name that is looked up. */
const nameMaxBytes = 16;

function hashOf(bytes: Buffer, from: number, to: number): number {
  let hash = 0;
  for (let i = from; i < to && i < from + nameMaxBytes; i++) {
    hash = (Math.imul(hash, 31) + ((bytes[i] as number) | 0x20)) | 0;
  }
  return hash;
}

export function takesCount({ arity }: Command, count: number): boolean {
  return arity < 0 ? count >= -arity : count === arity;
}
