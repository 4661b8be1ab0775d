/** Requests as the model gets them, without one. */

import { expect, test } from 'vitest';
import type { InferModel, TensorInfo } from '../../../src/engine/onnx/api.ts';
import { jsonOfBytes } from '../../../src/server/kserve/data.ts';
import { readInferRequest, type InferRequest } from '../../../src/server/kserve/request.ts';

function modelOf(inputs: readonly TensorInfo[], isSequence = false): InferModel {
  return {
    name: 'm',
    platform: 'none',
    inputs,
    outputs: [],
    isSequence,
    infer: () => Promise.resolve([]),
    stats: () => ({ accepted: 0, completed: 0, failed: 0, batches: 0, live: 0 }),
    close: () => Promise.resolve(),
  };
}

const one: TensorInfo = { name: 'x', datatype: 'UINT8', shape: [-1] };

function read(text: string, isSequence = true): InferRequest {
  return readInferRequest(Buffer.from(text), undefined, modelOf([one], isSequence));
}

const input = '"inputs":[{"name":"x","datatype":"UINT8","shape":[1],"data":[7]}]';

function idOf(id: string): string | undefined {
  return read(`{${input},"parameters":{"sequence_id":${id}}}`).options.sequence?.id;
}

test('ids of sequences are told apart to their last digit, and numbers from texts', () => {
  const ids = ['18446744073709551615', '18446744073709551614', '9007199254740993', '5', '"5"'];
  expect(new Set(ids.map((id) => idOf(id))).size).toBe(ids.length);
  expect(idOf('5')).toBe(idOf('5.0'));
  for (const none of ['0', '""', 'null']) expect(() => idOf(none)).toThrow(/correlation ID/);
});

test('times are microseconds, and priorities are passed on', () => {
  const parameters = '"parameters":{"timeout":1500,"priority":2,"sequence_id":4}';
  expect(read(`{${input},${parameters}}`, false).options).toEqual({
    priority: 2,
    queueTimeoutMs: 1.5,
  });
});

test('every datatype comes through JSON as its bytes, and back', () => {
  const cases: [TensorInfo['datatype'], unknown[], number][] = [
    ['BOOL', [true, false], 2],
    ['UINT8', [0, 255], 2],
    ['UINT16', [0, 65_535], 4],
    ['UINT32', [0, 4_294_967_295], 8],
    ['UINT64', [0, 9_007_199_254_740_991], 16],
    ['INT8', [-128, 127], 2],
    ['INT16', [-32_768, 32_767], 4],
    ['INT32', [-2_147_483_648, 2_147_483_647], 8],
    ['INT64', [-9_007_199_254_740_991, 9_007_199_254_740_991], 16],
    ['FP32', [0.5, -3.402_823_466_385_288_6e38], 8],
    ['FP64', [0.1, -1e308], 16],
    ['BYTES', ['', 'Ahab 🐳'], 17],
  ];
  for (const [datatype, data, sizeBytes] of cases) {
    const info: TensorInfo = { name: 'x', datatype, shape: [-1] };
    const text = (given: readonly unknown[]): Buffer =>
      Buffer.from(JSON.stringify({ inputs: [{ ...info, shape: [given.length], data: given }] }));
    const [tensor] = readInferRequest(text(data), undefined, modelOf([info])).inputs;
    expect(tensor?.data.length, datatype).toBe(sizeBytes);
    expect(JSON.parse(jsonOfBytes(datatype, tensor?.data ?? new Uint8Array(0))), datatype).toEqual(
      data,
    );
    const odd: readonly unknown[] = [
      null,
      {},
      datatype === 'BYTES' ? 1 : 'x',
      datatype === 'BOOL' ? 1 : true,
    ];
    for (const value of odd)
      expect(() => readInferRequest(text([value]), undefined, modelOf([info])), datatype).toThrow(
        /^x is of/,
      );
    if (!datatype.includes('INT')) continue;
    const [min, max] = data as [number, number];
    for (const value of [min - 1, max + 1, 0.5])
      expect(() => readInferRequest(text([value]), undefined, modelOf([info]))).toThrow(datatype);
  }
});

test('half numbers come as bytes only, and truths are 0 and 1', () => {
  const half: TensorInfo = { name: 'x', datatype: 'FP16', shape: [1] };
  const asJson = JSON.stringify({ inputs: [{ ...half, data: [1] }] });
  expect(() => readInferRequest(Buffer.from(asJson), undefined, modelOf([half]))).toThrow(/FP16/);
  expect(() => jsonOfBytes('FP16', new Uint8Array(2))).toThrow(/FP16/);
  const binary = (info: TensorInfo, ...bytes: number[]): InferRequest => {
    const parameters = { binary_data_size: bytes.length };
    const head = Buffer.from(JSON.stringify({ inputs: [{ ...info, parameters }] }));
    const body = Buffer.concat([head, Uint8Array.from(bytes)]);
    return readInferRequest(body, head.length, modelOf([info]));
  };
  expect([...(binary(half, 0, 0x3c).inputs[0]?.data ?? [])]).toEqual([0, 0x3c]);
  const truth: TensorInfo = { name: 'x', datatype: 'BOOL', shape: [2] };
  expect([...(binary(truth, 1, 0).inputs[0]?.data ?? [])]).toEqual([1, 0]);
  expect(() => binary(truth, 1, 2)).toThrow(/0 and 1/);
  expect(() => binary(truth, 1, 0, 1)).toThrow(/2 elements; got 3/);
});
