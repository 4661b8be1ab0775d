/** Where a server may do without keys. */

import { fail } from '../errors.ts';
import type { Auth } from './keyring.ts';

/** True for hosts that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  if (name === 'localhost' || name === '::1') return true;
  return /^(::ffff:)?127(\.\d{1,3}){3}$/.test(name);
}

/** A server without keys listens on loopback only. @throws invalid_argument */
export function assertAuthSafe(host: string, auth: Auth): void {
  if (auth !== 'none' || isLoopback(host)) return;
  fail(
    'invalid_argument',
    `A server without authentication is refused on ${JSON.stringify(host)}: listen on 127.0.0.1, or use a key.`,
  );
}
