/** What a client says about its connection, and asks about the server's. */

import { CenoteError, fail } from '../../../errors.ts';
import type { Caller } from '../../../guard/api.ts';
import type { Arguments } from '../arguments.ts';
import type { Command } from '../command.ts';
import type { Session } from '../session.ts';
import { integerAt, syntaxError } from '../values.ts';
import { serverName, spokenVersion } from './server.ts';

/** The user that clients name where they were given a password only. */
const defaultUser = 'default';

/** Longest name of a connection. */
const nameMaxLength = 256;

/** An error that RESP has a word of its own for. */
export class RespError extends CenoteError {
  readonly word: string;

  constructor(word: string, code: 'unauthorized' | 'invalid_argument', message: string) {
    super(code, message);
    this.word = word;
  }
}

/** @throws overloaded */
function admit({ service, caller: current }: Session, { tenant }: Caller): void {
  const isCounted = current !== undefined && current.tenant === tenant;
  const { maxTenantConnections } = service.limits;
  if (isCounted || service.connectionsOf.of(tenant) < maxTenantConnections) return;
  fail('overloaded', `the tenant has ${maxTenantConnections} connections already`);
}

/**
 * Whom a key names. The key alone decides: a tenant that is named beside it must be the key's. `default` is what clients say for nobody in
 * particular, so it does not count as a name.
 * @throws unauthorized, overloaded
 */
function identify(session: Session, key: string, user: string): Caller {
  const tenant = user === defaultUser ? undefined : user;
  const caller = session.service.guard.identify(key, tenant);
  if (caller !== undefined) {
    admit(session, caller);
    return caller;
  }
  throw new RespError('WRONGPASS', 'unauthorized', 'invalid key, or not of that tenant');
}

function auth(session: Session, args: Arguments): void {
  if (args.count > 3) syntaxError();
  const user = args.count === 3 ? args.text(1) : defaultUser;
  session.caller = identify(session, args.text(args.count - 1), user);
  session.out.simple('OK');
}

/** Nothing is changed unless all of it is right. */
function hello(session: Session, args: Arguments): void {
  let protocol = session.out.protocol;
  let { caller, name } = session;
  if (args.count > 1) {
    const version = /^[23]$/.exec(args.latin1(1))?.[0];
    if (version === undefined) {
      throw new RespError('NOPROTO', 'invalid_argument', 'unsupported protocol version');
    }
    protocol = version === '3' ? 3 : 2;
  }
  for (let i = 2; i < args.count; i++) {
    if (args.is(i, 'auth') && i + 2 < args.count) {
      caller = identify(session, args.text(i + 2), args.text(i + 1));
      i += 2;
    } else if (args.is(i, 'setname') && i + 1 < args.count) {
      name = connectionName(args, ++i);
    } else {
      syntaxError();
    }
  }
  if (caller === undefined) {
    const message = 'HELLO must be called with the client already authenticated, or with AUTH';
    throw new RespError('NOAUTH', 'unauthorized', message);
  }
  session.caller = caller;
  session.name = name;
  session.out.protocol = protocol;
  describeServer(session);
}

function describeServer({ out, id }: Session): void {
  out.map(7);
  out.text('server');
  out.text(serverName);
  out.text('version');
  out.text(spokenVersion);
  out.text('proto');
  out.integer(out.protocol);
  out.text('id');
  out.integer(id);
  out.text('mode');
  out.text('standalone');
  out.text('role');
  out.text('master');
  out.text('modules');
  out.array(0);
}

/** @throws invalid_argument */
function connectionName(args: Arguments, index: number): string {
  const name = args.latin1(index);
  if (name.length > nameMaxLength || !/^[\x21-\x7e]*$/.test(name)) {
    fail('invalid_argument', 'Client names cannot contain spaces, newlines or special characters.');
  }
  return name;
}

/** Parts of CLIENT. What a client only tells about itself is thanked for and forgotten. */
const clientParts: Readonly<Record<string, (session: Session, args: Arguments) => void>> = {
  id: ({ out, id }) => out.integer(id),
  getname: ({ out, name }) => (name === '' ? out.none() : out.text(name)),
  setname: (session, args) => {
    if (args.count !== 3) syntaxError();
    session.name = connectionName(args, 2);
    session.out.simple('OK');
  },
  setinfo: ({ out }, args) => {
    if (args.count !== 4 || !(args.is(2, 'lib-name') || args.is(2, 'lib-ver'))) syntaxError();
    out.simple('OK');
  },
  info: ({ out, id, name }) => out.text(`id=${id} name=${name} resp=${out.protocol}\n`),
  'no-evict': ({ out }) => out.simple('OK'),
  'no-touch': ({ out }) => out.simple('OK'),
};

function client(session: Session, args: Arguments): void {
  const part = args.latin1(1).toLowerCase();
  const run = Object.hasOwn(clientParts, part) ? clientParts[part] : undefined;
  if (run === undefined) {
    fail('invalid_argument', `unknown subcommand '${part.slice(0, 40)}'. Try CLIENT ID.`);
  }
  run(session, args);
}

function ping({ out }: Session, args: Arguments): void {
  if (args.count > 2) fail('invalid_argument', "wrong number of arguments for 'ping' command");
  if (args.count === 2) out.bulk(args.bytes(1));
  else out.simple('PONG');
}

export const sessionCommands: readonly Command[] = [
  {
    name: 'ping',
    arity: -1,
    needs: 'session',
    keys: [0, 0, 0],
    summary: 'Answers PONG, or what it was sent.',
    large: (_, index) => (index === 1 ? 'gather' : undefined),
    run: ping,
  },
  {
    name: 'echo',
    arity: 2,
    needs: 'session',
    keys: [0, 0, 0],
    summary: 'Answers what it was sent.',
    large: (_, index) => (index === 1 ? 'gather' : undefined),
    run: ({ out }, args) => out.bulk(args.bytes(1)),
  },
  {
    name: 'auth',
    arity: -2,
    needs: 'anyone',
    keys: [0, 0, 0],
    summary: 'Names the caller: AUTH KEY, or AUTH TENANT KEY.',
    run: auth,
  },
  {
    name: 'hello',
    arity: -1,
    needs: 'anyone',
    keys: [0, 0, 0],
    summary: 'Chooses the protocol: 2 or 3, AUTH, SETNAME.',
    run: hello,
  },
  {
    name: 'client',
    arity: -2,
    needs: 'session',
    keys: [0, 0, 0],
    summary: 'ID GETNAME SETNAME SETINFO INFO NO-EVICT NO-TOUCH.',
    run: client,
  },
  {
    name: 'select',
    arity: 2,
    needs: 'session',
    keys: [0, 0, 0],
    summary: 'Chooses a database; there is one, 0.',
    run: ({ out }, args) => {
      if (integerAt(args, 1) !== 0) fail('invalid_argument', 'DB index is out of range');
      out.simple('OK');
    },
  },
  {
    name: 'reset',
    arity: 1,
    needs: 'anyone',
    keys: [0, 0, 0],
    summary: 'Makes the connection as it was at first.',
    run: (session) => {
      session.out.protocol = 2;
      session.caller = session.service.guard.anonymous;
      session.name = '';
      session.out.simple('RESET');
    },
  },
  {
    name: 'quit',
    arity: -1,
    needs: 'anyone',
    keys: [0, 0, 0],
    summary: 'Ends the connection.',
    run: (session) => {
      session.isEnding = true;
      session.out.simple('OK');
    },
  },
];
