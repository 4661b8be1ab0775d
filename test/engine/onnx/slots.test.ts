/** What is kept of sequences and of vectors, without a model. */

import { expect, onTestFinished, test } from 'vitest';
import type { TensorInfo } from '../../../src/engine/onnx/api.ts';
import { Arena } from '../../../src/engine/onnx/thread/arena.ts';
import { layoutOf, Slots } from '../../../src/engine/onnx/thread/slots.ts';
import { bytesOfTexts, textsOf } from '../../../src/engine/onnx/texts.ts';
import { vectorName } from '../../../src/engine/onnx/vector-name.ts';
import { mappedPool } from './support.ts';

/** Two layers of three numbers per sequence, the batch between them. */
const state: TensorInfo = { name: 'state', datatype: 'FP32', shape: [2, -1, 3] };

async function slotsOf(count: number): Promise<{ slots: Slots; arena: Arena }> {
  const layout = layoutOf([{ input: state, output: 'next' }], [8]);
  const arena = new Arena(await mappedPool(8 * 2 ** 20), count * layout.sizeBytes + 1024);
  onTestFinished(() => arena.close());
  return { slots: new Slots(arena, layout, count), arena };
}

test('rows of a batch come from their slots, and go back to them', async () => {
  const { slots } = await slotsOf(3);
  const [tensor] = slots.states;
  const rows = 2;
  const batch = new Float32Array(2 * rows * 3);
  const bytes = new Uint8Array(batch.buffer);
  for (const slot of [0, 1, 2]) slots.begin(slot);
  batch.set([1, 2, 3, 10, 20, 30, 4, 5, 6, 40, 50, 60]);
  slots.scatter(tensor!, 2, bytes, 0, rows);
  slots.scatter(tensor!, 0, bytes, 1, rows);
  batch.fill(-1);
  slots.gather(tensor!, 0, bytes, 0, rows);
  slots.gather(tensor!, 1, bytes, 1, rows);
  expect([...batch]).toEqual([10, 20, 30, 0, 0, 0, 40, 50, 60, 0, 0, 0]);
  slots.gather(tensor!, 2, bytes, 1, rows);
  expect([...batch]).toEqual([10, 20, 30, 1, 2, 3, 40, 50, 60, 4, 5, 6]);
});

test('a sequence begins with nothing, whatever the memory held', async () => {
  const { slots } = await slotsOf(1);
  const [tensor] = slots.states;
  expect(slots.hasBegun(0)).toBe(false);
  slots.begin(0);
  slots.scatter(tensor!, 0, new Uint8Array(24).fill(7), 0, 1);
  slots.overlap(0, 0).fill(7);
  slots.begin(0);
  const bytes = new Uint8Array(24).fill(1);
  slots.gather(tensor!, 0, bytes, 0, 1);
  expect([...bytes]).toEqual(Array.from(bytes, () => 0));
  expect([...slots.overlap(0, 0)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  expect(slots.hasBegun(0)).toBe(true);
  expect(() => slots.begin(1)).toThrow(/no slot 1/);
});

test('tensors of a batch begin behind the slots, at multiples of 64 bytes', async () => {
  const { arena, slots } = await slotsOf(1);
  const kept = slots.overlap(0, 0);
  const first = arena.take(100);
  const second = arena.take(4);
  expect(second.byteOffset - first.byteOffset).toBe(128);
  expect(first.byteOffset).toBeGreaterThan(kept.byteOffset);
  expect(() => arena.take(4096)).toThrow(expect.objectContaining({ code: 'value_too_large' }));
  arena.reset();
  expect(arena.take(1).byteOffset).toBe(first.byteOffset);
});

test('state without a dimension for the batch is refused', () => {
  const fixed: TensorInfo = { ...state, shape: [2, 1, 3] };
  expect(() => layoutOf([{ input: fixed, output: 'next' }], [])).toThrow(/the batch/);
  const open: TensorInfo = { ...state, shape: [-1, -1, 3] };
  expect(() => layoutOf([{ input: open, output: 'next' }], [])).toThrow(/the batch/);
});

test('a vector is kept under its model, its tenant and its tokens', () => {
  const tokens = Int32Array.of(1, 2);
  const names = [
    vectorName('m', 'acme', tokens),
    vectorName('n', 'acme', tokens),
    vectorName('m', 'globex', tokens),
    vectorName('m', 'acme', Int32Array.of(1, 3)),
    vectorName('m', 'acme', Int32Array.of(1)),
  ];
  expect(new Set(names).size).toBe(names.length);
  expect(vectorName('m', 'acme', Int32Array.of(1, 2))).toBe(names[0]);
});

test('texts go into a tensor and come out of it', () => {
  const texts = ['', 'a', 'Ishmael 🐳'].map((text) => new Uint8Array(Buffer.from(text)));
  const bytes = bytesOfTexts(texts);
  expect(textsOf(bytes)).toEqual(texts);
  for (let end = 1; end < bytes.length; end++) {
    if (end === 4 || end === 9) continue;
    expect(() => textsOf(bytes.subarray(0, end)), `${end}`).toThrow(/beyond the end/);
  }
});
