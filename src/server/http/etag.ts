/** Entity tags and conditional requests (RFC 9110, 8.8.3 and 13). A part's tag is its version. */

import type { IncomingMessage } from 'node:http';

import { fail } from '../../errors.ts';
import { show } from './schema.ts';

export function etagOf(version: number): string {
  return `"${version}"`;
}

type Tags = '*' | readonly string[];

/** One element of a list of tags: `"…"` or `W/"…"`. */
const oneTag = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;

/** @throws invalid_argument */
function parseTags(header: string, name: string): Tags {
  const text = header.trim();
  if (text === '*') return '*';
  const tags = text
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
  if (tags.length === 0 || !tags.every((tag) => oneTag.test(tag))) {
    fail(
      'invalid_argument',
      `${name} must be * or a list of quoted versions; got ${show(header)}.`,
    );
  }
  return tags;
}

/**
 * True when If-Match (strong comparison) and, for writes, If-None-Match let the request pass.
 * `version` is the part's own, undefined when there is none.
 * @throws invalid_argument
 */
export function mayWrite(req: IncomingMessage, version: number | undefined): boolean {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = req.headers;
  if (ifMatch !== undefined && !matches(parseTags(ifMatch, 'If-Match'), version, false))
    return false;
  return (
    ifNoneMatch === undefined || !matches(parseTags(ifNoneMatch, 'If-None-Match'), version, true)
  );
}

/** What a conditional read answers. @throws invalid_argument */
export function readOutcome(
  req: IncomingMessage,
  version: number,
): 'send' | 'not-modified' | 'failed' {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = req.headers;
  if (ifMatch !== undefined && !matches(parseTags(ifMatch, 'If-Match'), version, false)) {
    return 'failed';
  }
  const known = ifNoneMatch === undefined ? [] : parseTags(ifNoneMatch, 'If-None-Match');
  return matches(known, version, true) ? 'not-modified' : 'send';
}

/** True when a Range applies: there is no If-Range, or it names this version. Dates never do. */
export function rangeApplies(req: IncomingMessage, version: number): boolean {
  const ifRange = req.headers['if-range'];
  return ifRange === undefined || String(ifRange).trim() === etagOf(version);
}

export function isConditional(req: IncomingMessage): boolean {
  return req.headers['if-match'] !== undefined || req.headers['if-none-match'] !== undefined;
}

function matches(tags: Tags, version: number | undefined, weak: boolean): boolean {
  if (version === undefined) return false;
  if (tags === '*') return true;
  const own = etagOf(version);
  return tags.some((tag) => tag === own || (weak && tag === `W/${own}`));
}
