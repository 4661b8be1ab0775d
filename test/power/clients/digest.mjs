/** One text for all that a pool holds. */

import { createHash } from 'node:crypto';

/** @param {import('../../../dist/index.js').Pool} pool @returns {string} */
export function digestOf(pool) {
  const hash = createHash('sha256');
  for (const { id, parts } of pool.list({ limit: 10_000 })) {
    for (const { part, kind, elementType, version, crc32, tags, sizeBytes } of parts) {
      hash.update(JSON.stringify([id, part, kind, elementType, version, crc32, tags, sizeBytes]));
      const lease = pool.get(id, part);
      const data = /** @type {Uint8Array} */ (lease?.data);
      hash.update(Uint8Array.from(data));
      lease?.release();
    }
  }
  return hash.digest('hex');
}
