/** What `cenote serve` says when it listens. Pure. */

import type { Palette } from './ansi.ts';
import { printable } from './ansi.ts';
import { formatBytes, formatCount } from './format.ts';

/** How a client proves itself. */
export type KeyNotice =
  /** The first start: the only time that the key is known. */
  | { readonly type: 'new'; readonly key: string }
  /** Preset by CENOTE_API_KEY. */
  | { readonly type: 'preset'; readonly key: string }
  /** Made by an earlier start; only its hash is left. */
  | { readonly type: 'stored' }
  | { readonly type: 'none' };

export interface Banner {
  readonly version: string;
  readonly url: string;
  /** Undefined: RESP is not spoken. */
  readonly respUrl: string | undefined;
  /** Name of the model that answers; undefined: there is none. */
  readonly model: string | undefined;
  readonly dataPath: string;
  readonly keysFile: string;
  readonly poolType: 'mapped' | 'shared';
  readonly poolPath: string | undefined;
  /** Of all pools together. */
  readonly capacityBytes: number;
  readonly tenants: number;
  /** Of tenant `default`. */
  readonly contexts: number;
  readonly key: KeyNotice;
  /** False keeps a preset key out of logs: the reader of a terminal may see it, a log collector need not. */
  readonly showPresetKey: boolean;
}

/** A word as a POSIX shell reads it back. */
export function shellQuote(word: string): string {
  return /^[\w./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

const keyVariable = 'CENOTE_API_KEY';

type KnownKey = Extract<KeyNotice, { readonly key: string }>;

function isShown(banner: Banner, key: KeyNotice): key is KnownKey {
  return key.type === 'new' || (key.type === 'preset' && banner.showPresetKey);
}

/** The words of curl that carry the key; the variable where the key is not known (or not shown). */
function credential(banner: Banner): string {
  const { key } = banner;
  if (key.type === 'none') return '';
  return isShown(banner, key)
    ? `-H ${shellQuote(`Authorization: Bearer ${key.key}`)} `
    : `-H "Authorization: Bearer $${keyVariable}" `;
}

/** Two lines that work when pasted into a shell: one writes a part, one reads it. */
export function curlLines(banner: Banner): [string, string] {
  const part = `${banner.url}/v1/contexts/hello/parts/text`;
  // A part ends without a newline: the prompt of the shell would follow it on its line.
  const head = `curl -sS -w '\\n' ${credential(banner)}`;
  return [
    `${head}-X PUT --data-binary ${shellQuote('Hello from Cenote')} ${shellQuote(`${part}?type=utf8`)}`,
    `${head}${shellQuote(part)}`,
  ];
}

/** A line that reads with redis-cli what the first line of curl has written: a part is a field of a hash. */
export function redisLine(banner: Banner): string | undefined {
  if (banner.respUrl === undefined) return undefined;
  const { hostname, port } = new URL(banner.respUrl);
  const { key } = banner;
  const shown = isShown(banner, key) ? shellQuote(key.key) : `"$${keyVariable}"`;
  const auth = key.type === 'none' ? '' : `REDISCLI_AUTH=${shown} `;
  return `${auth}redis-cli -h ${hostname.replace(/^\[|\]$/g, '')} -p ${port} HGET hello text`;
}

function keyLines(banner: Banner, paint: Palette): string[] {
  const file = printable(banner.keysFile);
  switch (banner.key.type) {
    case 'new':
      return [
        `  ${paint.dim('API key')}  ${paint.bold(banner.key.key)}`,
        `           ${paint.yellow(`Keep it: it is shown this once. ${file} holds only its hash.`)}`,
      ];
    case 'preset':
      return [`  ${paint.dim('API key')}  the value of ${keyVariable}`];
    case 'stored':
      return [
        `  ${paint.dim('API key')}  the one that the first start has shown. Lost? Set ${keyVariable} to one of your own, or`,
        `           stop the server and remove ${file}: the next start makes a new one.`,
      ];
    case 'none':
      return [
        `  ${paint.dim('API key')}  ${paint.yellow('none is asked for: everyone on this machine may read and write')}`,
      ];
  }
}

function poolLine(banner: Banner): string {
  const others = banner.tenants - 1;
  const more =
    others === 0 ? '' : `, ${formatCount(others)} more ${others === 1 ? 'tenant' : 'tenants'}`;
  const figures = `${formatCount(banner.contexts)} contexts${more}, capacity ${formatBytes(banner.capacityBytes)}`;
  if (banner.poolPath === undefined)
    return `in shared memory: gone when the server stops (${figures})`;
  return `${printable(banner.poolPath)} (${figures})`;
}

function modelLines({ model, url }: Banner, paint: Palette): string[] {
  if (model === undefined) return [];
  const base = paint.cyan(`${url}/v1`);
  return [
    `  ${paint.dim('model')}    ${printable(model)}: ${base} for OpenAI's clients, npx cenote chat --url ${url}`,
  ];
}

export function bannerText(banner: Banner, paint: Palette): string {
  const [write, read] = curlLines(banner);
  const redis = redisLine(banner);
  const lines = [
    `${paint.bold(`cenote ${banner.version}`)} is serving`,
    '',
    `  ${paint.dim('HTTP')}     ${paint.cyan(banner.url)}`,
    ...(banner.respUrl === undefined
      ? []
      : [`  ${paint.dim('RESP')}     ${paint.cyan(banner.respUrl)}`]),
    `  ${paint.dim('OpenAPI')}  ${paint.cyan(`${banner.url}/openapi.json`)}`,
    `  ${paint.dim('pool')}     ${poolLine(banner)}`,
    ...keyLines(banner, paint),
    ...modelLines(banner, paint),
    '',
    '  Try it: write a part, and read it.',
    '',
    write,
    read,
    ...(redis === undefined ? [] : [redis]),
    '',
    `  ${paint.dim(`Live statistics: npx cenote inspect ${shellQuote(banner.dataPath)}. Ctrl-C stops the server.`)}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** The same for a program: one line. */
export function bannerJson(banner: Banner): string {
  const { version, url, respUrl, model, key } = banner;
  const { poolType, poolPath, dataPath, capacityBytes, contexts } = banner;
  const made = key.type === 'new' ? { key: key.key } : {};
  const pool = { pool: poolType, path: poolPath, dataPath, capacityBytes, contexts };
  return `${JSON.stringify({ version, pid: process.pid, url, respUrl, model, ...pool, ...made })}\n`;
}
