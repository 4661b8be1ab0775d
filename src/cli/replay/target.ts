/** The server that `--target` names. */

import { UsageError } from '../command.ts';

export interface Target {
  readonly protocol: 'resp' | 'http';
  readonly host: string;
  readonly port: number;
  /** Undefined: whoever the key belongs to. */
  readonly tenant: string | undefined;
  readonly key: string | undefined;
  /** Without the key: for people. */
  readonly name: string;
}

const defaultPorts = { resp: 6380, http: 8080 } as const;
const keyVariable = 'CENOTE_API_KEY';

/**
 * Reads `resp://host:port` (or `redis://`, which is the same) or `http://host:port`. A key stands in the URL (`resp://:KEY@host`, `resp://TENANT:KEY@host`) or in the environment.
 * @throws UsageError
 */
export function parseTarget(text: string, env: NodeJS.ProcessEnv): Target {
  const match = /^(resp|redis|http):\/\//i.exec(text);
  // For URLs of other protocols than those of the web, the parser leaves host names as they are.
  const url = match === null ? undefined : parseUrl(`http://${text.slice(match[0].length)}`);
  const isBare = url?.path === '/';
  if (match === null || url === undefined || !isBare)
    throw new UsageError(
      `--target '${withoutKey(text)}' is not resp://HOST:PORT or http://HOST:PORT`,
      `The key stands in the environment as ${keyVariable}, or in front of the host: resp://:KEY@HOST:PORT.`,
    );
  const protocol = (match[1] as string).toLowerCase() === 'http' ? 'http' : 'resp';
  // The parser drops the port that is http's own.
  const given = /:80\/?$/.test(text) ? '80' : url.port;
  const port = given === '' ? defaultPorts[protocol] : Number(given);
  const key = url.key === '' ? env[keyVariable] : url.key;
  return {
    protocol,
    host: url.host.replace(/^\[(.*)\]$/, '$1'),
    port,
    tenant: url.user === '' ? undefined : url.user,
    key: key === '' ? undefined : key,
    name: `${protocol}://${url.host}:${port}`,
  };
}

type UrlParts = Readonly<Record<'host' | 'port' | 'user' | 'key' | 'path', string>>;

function parseUrl(text: string): UrlParts | undefined {
  try {
    const { hostname, port, username, password, pathname, search, hash } = new URL(text);
    const user = decodeURIComponent(username);
    const key = decodeURIComponent(password);
    return { host: hostname, port, user, key, path: pathname + search + hash };
  } catch {
    return undefined;
  }
}

/** What is shown of a URL that may hold a key. */
function withoutKey(text: string): string {
  return text.replace(/\/\/.*@/, '//…@');
}
