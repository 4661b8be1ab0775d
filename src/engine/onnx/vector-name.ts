/** Where a vector is kept. */

import { createHash } from 'node:crypto';

/** Changes when vectors of older releases are not to be read any more. */
const cacheVersion = 1;

/** The context of the pool that a vector is in: nobody finds it who has not the tenant and the tokens. */
export function vectorName(model: string, tenant: string, tokens: Int32Array): string {
  const hash = createHash('sha256').update(JSON.stringify([cacheVersion, model, tenant]));
  return `embedding:${hash.update(tokens).digest('base64url')}`;
}
