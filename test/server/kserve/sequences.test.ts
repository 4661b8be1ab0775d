/** Sequences in KServe's protocol: how they begin and end, and whose they are. */

import { expect, test } from 'vitest';
import { missingRuntime, summing } from '../../engine/onnx/support.ts';
import { until } from '../../support/until.ts';
import { RawClient, testKey } from '../support/client.ts';
import { serve } from '../support/serve.ts';
import { serveTenants } from '../support/tenants.ts';
import { ask, errorOf, graphModel, stateful, x } from './support.ts';

test.skipIf(missingRuntime)(
  'sequences begin with START, in Triton’s words, and end with END',
  async () => {
    const { call } = await serve({ inferModels: [await graphModel(summing, stateful)] });
    const step = (sequence_id: unknown, flags: object = {}): Promise<number | string> =>
      ask(call, 'summing', { inputs: [x(1)], parameters: { sequence_id, ...flags } }).then(
        (answer) =>
          answer.status === 200
            ? (answer.json() as { outputs: { data: number[] }[] }).outputs[0]!.data[0]!
            : errorOf(answer),
      );
    const start = { sequence_start: true };
    const end = { sequence_end: true };
    const noStart = (id: string): string =>
      `inference request for sequence ${id} to model 'summing' must specify the START flag on the first request of the sequence (invalid_argument)`;
    const noId = /must specify a non-zero or non-empty correlation ID/;
    expect(await step(5)).toBe(noStart('5'));
    expect(await step(5, end)).toBe(noStart('5'));
    expect(await step(5, start)).toBe(1);
    expect(await step(5)).toBe(2);
    expect(await step('5')).toBe(noStart('5'));
    expect(await step(5, end)).toBe(3);
    expect(await step(5)).toBe(noStart('5'));
    expect(await step(5, { ...start, ...end })).toBe(1);
    for (const none of [0, '', null, undefined]) expect(await step(none, start)).toMatch(noId);
    for (const odd of [-1, 1.5, true, [1], 'x'.repeat(129)])
      expect(await step(odd, start)).toMatch(/sequence_id/);
  },
);

test.skipIf(missingRuntime)(
  'ids of 64 bits that differ in the last digit are two sequences',
  async () => {
    const { call } = await serve({ inferModels: [await graphModel(summing, stateful)] });
    const step = async (id: string, start: boolean): Promise<unknown> => {
      const body = `{"inputs":[${JSON.stringify(x(1))}],"parameters":{"sequence_id":${id},"sequence_start":${start}}}`;
      return (await call('POST', '/v2/models/summing/infer', { body })).json()['outputs'];
    };
    await step('18446744073709551615', true);
    await step('18446744073709551614', true);
    expect(await step('18446744073709551615', false)).toMatchObject([{ data: [2] }]);
    expect(await step('18446744073709551614', false)).toMatchObject([{ data: [2] }]);
  },
);

test.skipIf(missingRuntime)('tenants never share a sequence', async () => {
  const { call, tenant } = await serveTenants({
    inferModels: [await graphModel(summing, stateful)],
  });
  const [acme, globex] = [await tenant('acme'), await tenant('globex')];
  const parameters = { sequence_id: 7 };
  const start = { inputs: [x(100)], parameters: { ...parameters, sequence_start: true } };
  await ask(call, 'summing', start, { key: acme });
  const stolen = await ask(call, 'summing', { inputs: [x(1)], parameters }, { key: globex });
  expect(errorOf(stolen)).toMatch(/must specify the START flag/);
  await ask(call, 'summing', { ...start, inputs: [x(1)] }, { key: globex });
  const own = await ask(call, 'summing', { inputs: [x(1)], parameters }, { key: acme });
  expect(own.json()['outputs']).toMatchObject([{ data: [101] }]);
  const reader = await tenant('reader', {}, ['ctx:read']);
  expect((await ask(call, 'summing', start, { key: reader })).status).toBe(403);
});

test.skipIf(missingRuntime)(
  'a sequence of which nothing comes ends, and its id is free',
  async () => {
    const model = await graphModel(summing, { ...stateful, idleMs: 1 });
    const { call } = await serve({ inferModels: [model] });
    const parameters = { sequence_id: 'left' };
    await ask(call, 'summing', {
      inputs: [x(1)],
      parameters: { ...parameters, sequence_start: true },
    });
    await until(() => model.stats().live === 0);
    const late = await ask(call, 'summing', { inputs: [x(1)], parameters });
    expect(errorOf(late)).toMatch(/must specify the START flag/);
  },
);

test.skipIf(missingRuntime)(
  'a client that goes ends its sequence, and disturbs no other',
  async () => {
    const model = await graphModel(summing, { ...stateful, candidatesMax: 1, batchMax: 1 });
    const { call, url } = await serve({ inferModels: [model] });
    const request = (sequence_id: string): object => ({
      inputs: [x(1)],
      parameters: { sequence_id, sequence_start: true },
    });
    await ask(call, 'summing', request('holds the slot'));
    const client = await RawClient.to(url);
    const body = JSON.stringify(request('waits'));
    client.send(
      `POST /v2/models/summing/infer HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${testKey}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await until(() => model.stats().live === 2);
    await client.destroy();
    await until(() => model.stats().live === 1);
    const parameters = { sequence_id: 'holds the slot', sequence_end: true };
    const last = await ask(call, 'summing', { inputs: [x(1)], parameters });
    expect(last.json()['outputs']).toMatchObject([{ data: [2] }]);
  },
);
