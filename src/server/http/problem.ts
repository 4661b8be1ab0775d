/** Errors as RFC 9457 problem documents. */

import { CenoteError, type ErrorCode } from '../../errors.ts';
import { Throttled } from '../../guard/throttled.ts';

export type HeaderFields = Readonly<Record<string, string>>;

/** A coded error that needs headers of its own in the answer. */
export class Refusal extends CenoteError {
  readonly headers: HeaderFields;

  constructor(code: ErrorCode, message: string, headers: HeaderFields) {
    super(code, message);
    this.headers = headers;
  }
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode | 'internal';
  readonly advice: string;
}

export interface ProblemAnswer {
  readonly problem: Problem;
  readonly headers: HeaderFields;
}

export const problemType = 'application/problem+json';

export const bearerChallenge = 'Bearer realm="cenote"';

/** After this time a refused client may try again, where nothing else is known. */
const retryAfterMs = 1000;

/** What is said of an error without a code: nothing of its inside. */
const internal: Problem = {
  type: 'urn:cenote:problem:internal',
  title: 'Internal error',
  status: 500,
  detail: 'The server failed to answer; its log says why.',
  code: 'internal',
  advice: 'Report it with the time of the request.',
};

export function problemOf(error: unknown): ProblemAnswer {
  if (!(error instanceof CenoteError)) return { problem: internal, headers: {} };
  const { code, message, httpStatus: status, advice } = error;
  const words = code.replaceAll('_', ' ');
  const title = words.charAt(0).toUpperCase() + words.slice(1);
  const problem = {
    type: `urn:cenote:problem:${code}`,
    title,
    status,
    detail: message,
    code,
    advice,
  };
  const headers = error instanceof Refusal ? error.headers : {};
  return { problem, headers: { ...headersOf(error), ...headers } };
}

/** What clients must be told with a status. */
function headersOf(error: CenoteError): HeaderFields {
  switch (error.httpStatus) {
    case 401:
      return { 'WWW-Authenticate': bearerChallenge };
    case 429:
    case 503: {
      const waitMs = error instanceof Throttled ? error.retryAfterMs : retryAfterMs;
      return { 'Retry-After': String(Math.ceil(waitMs / 1000)) };
    }
    default:
      return {};
  }
}
