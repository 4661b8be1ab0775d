/** The library stays where it is, whatever the collector finds: loaded a second time it ends the process. */

import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { runToEnd } from '../../support/children.ts';
import { missingEngine, smallModel } from '../support/models.ts';

const fixture = fileURLToPath(new URL('../fixtures/collecting-koffi.mjs', import.meta.url));
const trial = fileURLToPath(new URL('../../../dist/engine/trial.js', import.meta.url));

it('is loaded once, with a collection between any two libraries', (context) => {
  const missing = missingEngine();
  if (missing !== undefined) return context.skip(missing);
  const options = { path: smallModel(), kvType: 'f16', memoryMaxBytes: 2 ** 31 };
  for (let round = 0; round < 5; round++) {
    const values = ['--expose-gc', '--import', fixture, trial, JSON.stringify(options)];
    const { status, signal, stdout } = runToEnd(process.execPath, values);
    expect([status, signal, stdout]).toEqual([0, null, '{"message":""}\n']);
  }
});
