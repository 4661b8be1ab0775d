/** What tells one model's file from another. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { fail } from '../errors.ts';

/** SHA-256 of a file, in hex. @throws engine_model_invalid */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  } catch (error) {
    fail('engine_model_invalid', `The model ${path} cannot be read.`, error);
  }
  return hash.digest('hex');
}
