/** Runs the commands of one connection: who may, what it reserves, how it is refused. */

import { CenoteError, errorTable } from '../../errors.ts';
import type { Caller, Scope } from '../../guard/api.ts';
import type { Arguments, BulkSink } from './arguments.ts';
import { coldParts, refusalOf } from './cold.ts';
import { type Command, type Place, takesCount } from './command.ts';
import { commands } from './commands/index.ts';
import { RespError } from './commands/sessions.ts';
import { asError, DraftSink, RefusedSink } from './draft-sink.ts';
import { type Session, unauthorized } from './session.ts';
import type { CloseReason } from './traffic.ts';

/**
 * LMCache's own connector takes the reply to SET for `+OK` and that to EXISTS for `:1` or `:0`, by length: after any other reply it reads the rest of
 * it as the next one, values included. It says nothing about itself, so it is known by that: connections that have sent none but these, and no line of
 * text, are *terse*. An error is the last thing they are sent; then they are closed.
 */
const terseCommands: ReadonlySet<string> = new Set(['auth', 'get', 'set', 'exists', 'del']);

/** What browsers begin with: a page may send requests to any port of this machine, and they must not pass for commands. */
const httpWords: ReadonlySet<string> = new Set(['post', 'host:']);

const shownMax = 40;

export class Runner {
  /** Since when nobody has authenticated; undefined: somebody has. */
  unknownSinceMs: number | undefined;
  /** Why the pool of the caller could not be opened: what its commands are told. */
  openError: Error | undefined;
  /** Why a part could not be brought from the disk: what the command is told that asks for it. */
  loadError: Error | undefined;
  readonly #session: Session;
  /** Bytes that came before anybody had authenticated. */
  #unknownBytes = 0;
  #isTerse = true;
  /** The tenant that the connection is counted for. */
  #tenant: string | undefined;

  constructor(session: Session) {
    this.#session = session;
    this.#noteCaller();
  }

  /** Runs a command, or says why not. @returns true where it was a quick one */
  execute(args: Arguments): boolean {
    const session = this.#session;
    session.service.traffic.commands++;
    const command = commands.find(args);
    if (this.#isTerse) {
      this.#isTerse = !args.isInline && command !== undefined && terseCommands.has(command.name);
    }
    try {
      if (command === undefined) this.#refuseUnknown(args);
      else this.#run(command, args);
    } catch (error) {
      if (this.#isTerse) this.end(error, 'refused');
      else this.reply(error);
    }
    this.loadError = undefined; // also where the command was refused for another reason
    return command?.isQuick === true;
  }

  /** What has to come from the disk before the command runs; nothing where it is known already why that cannot be. */
  coldParts(args: Arguments): readonly Place[] {
    const pool = this.#session.caller?.pool;
    if (pool?.hasDisk !== true || this.loadError !== undefined) return [];
    const command = commands.find(args);
    try {
      return command === undefined ? [] : coldParts(pool, command, args);
    } catch (error) {
      // The command finds it itself, or does not care.
      this.loadError = asError(error);
      return [];
    }
  }

  /** A command that cannot wait any longer for what is not in memory. */
  goWithout(missing: Place, args: Arguments): void {
    const command = commands.find(args);
    if (command !== undefined) this.loadError = refusalOf(command, missing);
  }

  /** Where a large argument goes. @throws unauthorized: the connection cannot go on */
  readonly sinkFor = (args: Arguments, index: number, sizeBytes: number): BulkSink | undefined => {
    if (this.#session.caller === undefined) {
      throw new CenoteError('unauthorized', 'Protocol error: unauthenticated bulk length');
    }
    const command = index === 0 ? undefined : commands.find(args);
    try {
      const place = command?.large?.(args, index);
      if (place === 'gather') return undefined;
      if (command === undefined || place === undefined) {
        const message = `an argument of ${sizeBytes} bytes is not taken here`;
        throw new CenoteError('value_too_large', message);
      }
      const caller = this.#validCaller();
      if (command.needs !== 'session' && command.needs !== 'anyone') {
        this.#demand(caller, command.needs);
      }
      return new DraftSink(this.#session, caller, place.id, place.part, sizeBytes);
    } catch (error) {
      return new RefusedSink(error);
    }
  };

  /** Counts bytes, while nobody has authenticated. @throws value_too_large */
  countRead(sizeBytes: number): void {
    if (this.unknownSinceMs === undefined) return;
    this.#unknownBytes += sizeBytes;
    const { authBytes } = this.#session.service.limits;
    if (this.#unknownBytes <= authBytes) return;
    const message = `Protocol error: more than ${authBytes} bytes before authentication`;
    throw new CenoteError('value_too_large', message);
  }

  /** The connection is closed. */
  close(): void {
    this.#countFor(undefined);
  }

  /** Replies with an error. */
  reply(error: unknown): void {
    const { service, out } = this.#session;
    const known = error instanceof CenoteError ? error : undefined;
    service.traffic.failed(known?.code ?? 'internal');
    if (known === undefined) {
      service.onError(error);
      out.error('ERR', 'internal error', 'internal');
      return;
    }
    const word = known instanceof RespError ? known.word : errorTable[known.code].resp;
    out.error(word, known.message, known.code);
  }

  /** Likewise, as the last reply of the connection. */
  end(error: unknown, reason: CloseReason): void {
    this.reply(error);
    this.#session.isEnding = true;
    this.#session.service.traffic.closed(reason);
  }

  /** @throws what the client is to be told */
  #run(command: Command, args: Arguments): void {
    const session = this.#session;
    if (command.needs === 'anyone') {
      checkCount(command, args);
      const before = session.caller;
      command.run(session, args);
      if (session.caller !== before) this.#noteCaller();
      return;
    }
    const caller = this.#validCaller();
    checkCount(command, args);
    if (command.needs !== 'session') {
      this.#demand(caller, command.needs);
    }
    throwFirstError(args);
    // Large values have been reserved when they began.
    if (command.reservesItself === true || args.hasSinks) {
      command.run(session, args);
      return;
    }
    const { sizeBytes } = args;
    caller.begin(sizeBytes);
    try {
      command.run(session, args);
    } finally {
      caller.end(sizeBytes);
    }
  }

  /** @throws forbidden, and why the pool could not be opened */
  #demand(caller: Caller, scope: Scope): void {
    if (this.openError !== undefined) throw this.openError;
    caller.demand(scope);
    if (this.loadError !== undefined) throw this.loadError;
  }

  /** @throws unauthorized */
  #validCaller(): Caller {
    const { caller } = this.#session;
    if (caller?.isValid === true) return caller;
    this.#session.caller = undefined;
    this.#noteCaller();
    return unauthorized();
  }

  #noteCaller(): void {
    const { caller, service } = this.#session;
    this.#countFor(caller === service.guard.anonymous ? undefined : caller?.tenant);
    if (caller === undefined) {
      this.unknownSinceMs ??= service.clock.nowMs();
    } else {
      this.unknownSinceMs = undefined;
      this.#unknownBytes = 0;
    }
  }

  #countFor(tenant: string | undefined): void {
    const { connectionsOf } = this.#session.service;
    if (this.#tenant === tenant) return;
    if (this.#tenant !== undefined) connectionsOf.remove(this.#tenant);
    if (tenant !== undefined) connectionsOf.add(tenant);
    this.#tenant = tenant;
  }

  #refuseUnknown(args: Arguments): void {
    const name = args.sink(0) === undefined ? args.latin1(0).slice(0, shownMax) : '';
    if (httpWords.has(name.toLowerCase())) {
      const message = 'Protocol error: HTTP is spoken on another port';
      this.end(new CenoteError('invalid_argument', message), 'protocol');
    } else {
      throw new CenoteError('invalid_argument', `unknown command '${name}'`);
    }
  }
}

/** Throws what has gone wrong with a large argument. */
function throwFirstError(args: Arguments): void {
  if (!args.hasSinks) return;
  for (let i = 0; i < args.count; i++) {
    const error = args.sink(i)?.error;
    if (error !== undefined) throw error;
  }
}

/** @throws invalid_argument */
function checkCount(command: Command, args: Arguments): void {
  if (takesCount(command, args.count)) return;
  const message = `wrong number of arguments for '${command.name}' command`;
  throw new CenoteError('invalid_argument', message);
}
