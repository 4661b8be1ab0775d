/** Errors as OpenAI's clients know them. */

import type { Problem } from '../http/problem.ts';

/** Types of errors by status; of what is not here by its first digit. */
const types: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
};

export interface OpenAiError {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: null;
    readonly code: string;
  };
}

/** The code is ours, the same as in other answers. */
export function openAiErrorOf({ code, detail, advice, status }: Problem): OpenAiError {
  const type = types[status] ?? (status < 500 ? 'invalid_request_error' : 'server_error');
  return { error: { message: `${detail} ${advice}`, type, param: null, code } };
}
