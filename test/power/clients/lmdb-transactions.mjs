/** What transaction number n does, so that writer and judge agree: [key, value] pairs, undefined for a removal. */

const keys = 40;

/** @param {number} number @returns {[string, Uint8Array | undefined][]} */
export function transactionFor(number) {
  let state = number * 0x9e3779b1;
  const below = (/** @type {number} */ bound) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    state ^= state >>> 12;
    return (state & 0x7fffffff) % bound;
  };
  return Array.from({ length: 1 + below(5) }, () => {
    const key = `key-${below(keys)}`;
    if (below(5) === 0) return [key, undefined];
    // Some need pages of their own.
    const sizeBytes = below(4) === 0 ? 3000 + below(20_000) : 8 + below(300);
    const value = Buffer.alloc(sizeBytes, `${number}/${key}/`);
    return [key, value];
  });
}
