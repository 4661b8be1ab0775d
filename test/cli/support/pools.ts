/** Small pools for the tests of commands, and the commands run in this process. */

import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { main } from '../../../src/cli/main.ts';
import type { Pool } from '../../../src/pool/api.ts';
import { openPool } from '../../../src/pool/open.ts';
import { testIo, type TestIo } from './text-io.ts';

const mib = 2 ** 20;

/** Opens a pool, making it when it is not there, and closes it after `use`. */
export async function withPool(path: string, use: (pool: Pool) => void): Promise<void> {
  const pool = await openPool({ path, capacityBytes: 64 * mib });
  try {
    use(pool);
  } finally {
    await pool.close();
  }
}

export function fill(pool: Pool): void {
  for (let index = 0; index < 50; index++) {
    pool.put(
      `chat-${index}`,
      'tokens',
      Uint32Array.from({ length: 200 }, (_, at) => at * index),
    );
    pool.put(`chat-${index}`, 'about', `Conversation ${index}`);
  }
  pool.put('big', 'state', new Uint8Array(3 * mib).fill(7), { kind: 'attention' });
}

/** What `fill` makes. */
export const filled: { readonly contexts: number; readonly parts: number } = {
  contexts: 51,
  parts: 101,
};

/** Runs a command here; streams and clock are the test's. */
export async function run(
  words: readonly string[],
  io: TestIo = testIo(),
): Promise<TestIo & { code: number }> {
  const code = await main(words, io);
  return { ...io, code };
}

/** Changes bytes of a part where they lie in the files of a pool that nobody has open. */
export function damagePart(folder: string, bytes: Buffer): void {
  for (const name of readdirSync(folder).filter((file) => /^segment-\d+$/.test(file))) {
    const file = `${folder}/${name}`;
    const at = readFileSync(file).indexOf(bytes);
    if (at < 0) continue;
    const descriptor = openSync(file, 'r+');
    writeSync(descriptor, Buffer.from([bytes[0]! ^ 0xff]), 0, 1, at);
    closeSync(descriptor);
    return;
  }
  throw new Error('the bytes are not in the pool');
}
