/**
 * Decides from the headers alone whether a request may go on: before its path is looked up and its
 * body is read.
 */

import type { IncomingMessage } from 'node:http';

import { fail } from '../../errors.ts';
import type { Caller, Guard } from '../../guard/api.ts';
import { isLoopback } from '../../guard/loopback.ts';
import { bearerChallenge, Refusal } from './problem.ts';
import { show } from './schema.ts';

/** @throws unauthorized, forbidden */
export function authorise(guard: Guard, req: IncomingMessage): Caller {
  if (guard.anonymous !== undefined) {
    refuseBrowsers(req);
    return guard.anonymous;
  }
  const header = req.headers.authorization;
  if (header === undefined) {
    fail('unauthorized', 'The request has no Authorization header.');
  }
  const key = /^Bearer +([\x21-\x7e]+) *$/i.exec(header)?.[1];
  const caller = key === undefined ? undefined : guard.identify(key);
  if (caller !== undefined) return caller;
  const message =
    key === undefined ? 'Authorization is not "Bearer KEY".' : 'The key is not known.';
  throw new Refusal('unauthorized', message, {
    'WWW-Authenticate': `${bearerChallenge}, error="invalid_token"`,
  });
}

/**
 * A server without keys on loopback can still be reached by any web page that its user visits:
 * through a name that resolves to 127.0.0.1, or by sending a form. Both show in headers that a page
 * cannot set.
 */
function refuseBrowsers(req: IncomingMessage): void {
  const host = req.headers.host ?? '';
  if (!isLoopback(host.replace(/:\d*$/, ''))) {
    fail('forbidden', `Without authentication the Host must be this machine; got ${show(host)}.`);
  }
  const { origin } = req.headers;
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
    fail('forbidden', `Without authentication requests from ${show(origin)} are refused.`);
  }
}
