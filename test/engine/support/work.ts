/** A request as an instance gets it: the likeliest tokens, `maxTokens` of them. */

import type { Work } from '../../../src/engine/worker/protocol.ts';

export function workOf(prompt: Work['prompt'], maxTokens: number): Work {
  return {
    prompt,
    maxTokens,
    temperature: 0,
    topP: 1,
    topK: 0,
    seed: 0,
    stop: [],
    ignoreEnd: true,
    tenant: '',
    logitsDigest: false,
  };
}
