/** The secret of a server's engine: state that is kept is found by those only who have it. */

import { randomBytes } from 'node:crypto';
import { systemClock, type Clock } from '../base/clock.ts';
import { makeFolder } from '../base/folders.ts';
import { fail } from '../errors.ts';
import { doing, locked, readIfThere, replaceFile } from './durable-file.ts';
import type { DataLayout } from './layout.ts';

const saltBytes = 32;
const saltForm = /^[0-9a-f]{64}\n$/;

/**
 * The salt of a data folder, made when there is none; the same for all processes that ask.
 * @throws invalid_argument for a damaged file, io_failed
 */
export async function engineSalt(layout: DataLayout, clock: Clock = systemClock): Promise<string> {
  const { folder, lockFile, engineSaltFile } = layout;
  const known = await readIfThere(engineSaltFile);
  if (known !== undefined) return saltIn(engineSaltFile, known);
  await doing(`make the data folder ${folder}`, async () => makeFolder(folder, 0o700));
  return locked(lockFile, clock, async () => {
    const others = await readIfThere(engineSaltFile);
    if (others !== undefined) return saltIn(engineSaltFile, others);
    const salt = randomBytes(saltBytes).toString('hex');
    await replaceFile(engineSaltFile, `${salt}\n`);
    return salt;
  });
}

function saltIn(path: string, text: string): string {
  if (saltForm.test(text)) return text.trimEnd();
  return fail(
    'invalid_argument',
    `${path} is damaged. Remove it: a new one is made, and state is computed again.`,
  );
}
