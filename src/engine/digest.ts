/** What tells one model's file from another. */

import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { fail } from '../errors.ts';

export interface ModelFile {
  /** SHA-256, in hex. */
  readonly digest: string;
  /** As long as it is the same the file is taken for the one of the digest. */
  readonly stamp: string;
}

/** @throws engine_model_invalid */
export function stampOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs } = statSync(path, { bigint: true });
    return [dev, ino, size, mtimeNs].join(' ');
  } catch (error) {
    return fail('engine_model_invalid', `The model ${path} cannot be read.`, error);
  }
}

/** State is kept under the digest of a model: another file must not get it. @throws engine_model_invalid */
export function checkStamp(path: string, stamp: string): void {
  if (stampOf(path) === stamp) return;
  fail('engine_model_invalid', `${path} is another file than when the engine was opened.`);
}

/** @throws engine_model_invalid, also when the file changes meanwhile */
export async function digestOf(path: string): Promise<ModelFile> {
  const stamp = stampOf(path);
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  } catch (error) {
    fail('engine_model_invalid', `The model ${path} cannot be read.`, error);
  }
  checkStamp(path, stamp);
  return { digest: hash.digest('hex'), stamp };
}
