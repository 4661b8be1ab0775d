/** Ids as a user would have them: real, flat strings built beforehand. */

/** `conversation-000042`: 19 bytes. */
export function conversationIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) =>
    flat(`conversation-${String(index).padStart(6, '0')}`),
  );
}

/** UUID-shaped: 36 bytes, no shared prefix. */
export function uuidIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const hex = [1, 2, 3, 4].map((salt) => mixed(index, salt)).join('');
    return flat(
      [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
        '-',
      ),
    );
  });
}

function mixed(index: number, salt: number): string {
  let x = Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(salt, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 13), 0x297a2d39);
  return ((x ^ (x >>> 16)) >>> 0).toString(16).padStart(8, '0');
}

/** A concatenated string is a tree until it is first read; this one is flat from the start. */
function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
