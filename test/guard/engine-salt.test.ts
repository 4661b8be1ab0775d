/** The secret of an engine's state: made once, for this user only. */

import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { engineSalt } from '../../src/guard/engine-salt.ts';
import { dataLayout } from '../../src/guard/layout.ts';
import { temporaryFolder } from '../server/support/serve.ts';

it('is made once, also where several processes ask at once, and nobody else reads it', async () => {
  const layout = dataLayout(join(await temporaryFolder(), 'data'));
  const salts = await Promise.all(Array.from({ length: 8 }, () => engineSalt(layout)));
  expect(new Set(salts).size).toBe(1);
  expect(salts[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(await readFile(layout.engineSaltFile, 'utf8')).toBe(`${salts[0]}\n`);
  expect((await stat(layout.engineSaltFile)).mode & 0o777).toBe(0o600);
  expect(await readdir(layout.folder)).toEqual(['engine.salt']);
  const other = dataLayout(await temporaryFolder());
  expect(await engineSalt(other)).not.toBe(salts[0]);
});

it('is refused where its file is damaged: with another one nothing would be found', async () => {
  const layout = dataLayout(await temporaryFolder());
  const salt = await engineSalt(layout);
  for (const text of ['', salt.slice(1), `${salt}\n\n`, 'x'.repeat(64)]) {
    await writeFile(layout.engineSaltFile, text);
    await expect(engineSalt(layout)).rejects.toMatchObject({ code: 'invalid_argument' });
  }
});
