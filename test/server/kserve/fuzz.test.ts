/** Requests that are nearly right: each is answered, by a tensor or by a code, and the server is as before. */

import { expect, test } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import { missingRuntime, summing } from '../../engine/onnx/support.ts';
import { seed } from '../../support/seed.ts';
import type { Answer } from '../support/client.ts';
import { serve } from '../support/serve.ts';
import { ask, graphModel, stateful } from './support.ts';

const rounds = process.env['CI'] === 'true' ? 3000 : 400;

const oddities: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1.5,
  1e308,
  2 ** 53,
  '',
  'x',
  [],
  [[]],
  [[[[[[[[[1]]]]]]]]],
  {},
  { name: 'x' },
  [1, [2]],
  'BYTES',
  'FP16',
  [2 ** 28, 2 ** 28],
  [1, 1, 1, 1, 1, 1, 1, 1, 1],
];

function rightRequest(): Record<string, unknown> {
  return {
    id: 'a',
    parameters: { sequence_id: 3, sequence_start: true, sequence_end: true, timeout: 1_000_000 },
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 1], data: [1] }],
    outputs: [{ name: 'sum', parameters: { binary_data: false } }],
  };
}

type Holder = Record<string, unknown>;

/** Everything in a request that something else can be put in place of. */
function placesOf(holder: Holder): { holder: Holder; name: string }[] {
  return Object.entries(holder).flatMap(([name, value]) => [
    { holder, name },
    ...(typeof value === 'object' && value !== null ? placesOf(value as Holder) : []),
  ]);
}

test.skipIf(missingRuntime)('JSON with something odd in it', async () => {
  const random = new Random(seed());
  const model = await graphModel(summing, stateful);
  const { call, errors } = await serve({ inferModels: [model] });
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;
  for (let round = 0; round < rounds; round++) {
    const request = rightRequest();
    for (let changes = 1 + random.below(2); changes > 0; changes--) {
      const { holder, name } = pick(placesOf(request));
      if (random.below(4) === 0) delete holder[name];
      else holder[name] = structuredClone(pick(oddities));
    }
    const answer = await ask(call, 'summing', request);
    const said = JSON.stringify(request);
    if (answer.status === 200) expect(jsonIn(answer), said).toHaveProperty('outputs');
    else {
      expect(answer.status, said).toBeGreaterThanOrEqual(400);
      expect(answer.status, said).toBeLessThan(500);
      expect(answer.json(), said).toEqual({
        error: expect.stringMatching(/\([a-z_]+\)$/) as string,
      });
    }
  }
  expect(errors).toEqual([]);
  expect((await ask(call, 'summing', rightRequest())).json()['outputs']).toMatchObject([
    { data: [1] },
  ]);
});

test.skipIf(missingRuntime)('bytes of any kind, cut anywhere', async () => {
  const random = new Random(seed());
  const { call, errors } = await serve({ inferModels: [await graphModel(summing, stateful)] });
  const head = Buffer.from(
    JSON.stringify(rightRequest()).replace('"data":[1]', '"parameters":{"binary_data_size":4}'),
  );
  const whole = Buffer.concat([head, Buffer.from(Float32Array.of(1).buffer)]);
  let answered = 0;
  for (let round = 0; round < rounds / 2; round++) {
    const cut = random.below(4) === 0 ? random.below(whole.length + 1) : whole.length;
    const body = Buffer.from(whole.subarray(0, cut));
    for (let flips = random.below(3); flips > 0 && body.length > 0; flips--)
      body[random.below(body.length)] = random.below(256);
    const length = pickLength(random, head.length, body.length);
    const headers = { 'Inference-Header-Content-Length': length };
    const answer = await call('POST', '/v2/models/summing/infer', { body, headers });
    expect(answer.status).toBeLessThan(500);
    if (answer.status === 200) answered += 1;
    else expect(answer.json()).toEqual({ error: expect.stringMatching(/\([a-z_]+\)$/) as string });
  }
  expect(errors).toEqual([]);
  expect(answered).toBeGreaterThan(0);
});

/** What is JSON of an answer: bytes may follow it. */
function jsonIn({ body, headers }: Answer): unknown {
  const end = headers['inference-header-content-length'];
  return JSON.parse(body.subarray(0, end === undefined ? body.length : Number(end)).toString());
}

function pickLength(random: Random, head: number, body: number): string {
  const lengths = [head, head, body, random.below(body + 2), 'x', '', '99999999999'];
  return String(lengths[random.below(lengths.length)]);
}
