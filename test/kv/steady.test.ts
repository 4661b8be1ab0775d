/** In steady state nothing is allocated per block. */

import { expect, test } from 'vitest';
import { KvCache } from '../../src/kv/index.ts';

const promptBlocks = 500;
const requests = 1000;

test('a million blocks later the heap has not grown by two bytes for each', () => {
  const kv = new KvCache({ blocks: 4096, blockTokens: 2, requestsMax: 4, events: 64 });
  const tokens = new Int32Array(2 * promptBlocks + 1);
  const request = (salt: number): void => {
    // Half of the prompt is found.
    for (let i = 0; i < tokens.length; i++) tokens[i] = i < promptBlocks ? i : salt + i;
    const sequence = kv.prefill(tokens);
    for (let i = 0; i < 9; i++) kv.decode(sequence, i);
    kv.end(sequence);
  };
  for (let i = 0; i < requests; i++) request(i);
  const bytes = (): number => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = bytes();
  for (let i = 0; i < requests; i++) request(-i);
  expect(bytes() - before).toBeLessThan(2 * 2 * promptBlocks * requests);
  expect(kv.stats()).toMatchObject({ used: 0, prefills: 2 * requests });
});
