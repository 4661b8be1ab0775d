/** What goes in comes out: every element type, no bytes at all, and as many as there may be. */

import { describe, expect, it } from 'vitest';
import type { ElementType, KindName, PartData } from '../../src/pool/api.ts';
import { bytesOf, expectSound, freshPath, mib, pool, read, refuses } from './support/pools.ts';

const values: readonly [ElementType, KindName, PartData][] = [
  ['u8', 'blob', Uint8Array.of(0, 1, 255)],
  ['u8c', 'blob', Uint8ClampedArray.of(0, 1, 255)],
  ['i8', 'blob', Int8Array.of(-128, 0, 127)],
  ['u16', 'blob', Uint16Array.of(0, 65_535)],
  ['i16', 'blob', Int16Array.of(-32_768, 32_767)],
  ['u32', 'tokens', Uint32Array.of(0, 4_294_967_295)],
  ['i32', 'blob', Int32Array.of(-2_147_483_648, 2_147_483_647)],
  ['f32', 'embedding', Float32Array.of(-0, 0.5, Number.NaN, Infinity)],
  ['f64', 'embedding', Float64Array.of(-0, Math.PI, Number.NaN, Number.MIN_VALUE)],
  ['u64', 'blob', BigUint64Array.of(0n, 18_446_744_073_709_551_615n)],
  ['i64', 'blob', BigInt64Array.of(-9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n)],
];

describe.each(['shared', 'mapped'])('values in a %s pool', (type) => {
  const place = (): { path?: string } => (type === 'mapped' ? { path: freshPath() } : {});

  it.each(values)('%s round trip, as %s', async (elementType, kind, data) => {
    const of = await pool(place());
    of.put('a', 'p', data);
    const lease = of.get('a', 'p');
    expect(lease?.data.constructor).toBe(data.constructor);
    expect(Array.from(lease?.data as ArrayLike<unknown>)).toEqual(
      Array.from(data as ArrayLike<unknown>),
    );
    expect(lease?.elementType).toBe(elementType);
    expect(lease?.kind).toBe(kind);
    expect(of.describe('a', 'p')).toMatchObject({ elementType, kind });
    // A part of an array is written without the rest.
    const bytes = Buffer.from(bytesOf(lease));
    const width = bytes.length / data.length;
    const wide = new Uint8Array(2 * bytes.length);
    wide.set(bytes, bytes.length);
    const make = data.constructor as new (b: ArrayBuffer, at: number, n: number) => PartData;
    of.put('a', 'piece', new make(wide.buffer, bytes.length, bytes.length / width));
    expect(read(of, 'a', 'piece')).toEqual(bytes);
    expectSound(of);
  });

  it('text, as metadata in UTF-8', async () => {
    const of = await pool(place());
    const text = '\ufeffplain, ß, 字, 𝕏, \0';
    of.put('a', 'p', text);
    const lease = of.get('a', 'p');
    expect(lease?.text()).toBe(text);
    expect(lease?.elementType).toBe('utf8');
    expect(lease?.kind).toBe('metadata');
    expect(bytesOf(lease)).toEqual(Buffer.from(text));
  });

  it('bytes of any element type', async () => {
    const of = await pool(place());
    of.put('a', 'p', new Uint8Array(Float32Array.of(1.5, -2).buffer), { elementType: 'f32' });
    expect(of.get('a', 'p')?.data).toEqual(Float32Array.of(1.5, -2));
    expect(of.describe('a', 'p')?.kind).toBe('embedding');
    refuses(() => of.put('a', 'p', new Uint8Array(6), { elementType: 'f32' }), 'invalid_argument');
    refuses(() => of.put('a', 'p', Uint32Array.of(1), { elementType: 'f32' }), 'invalid_argument');
    expect(of.get('a', 'p')?.data).toEqual(Float32Array.of(1.5, -2));
  });

  it('nothing', async () => {
    const of = await pool(place());
    for (const [name, , data] of values) {
      const empty = new (data.constructor as new (length: number) => PartData)(0);
      of.put('a', name, empty);
      const lease = of.get('a', name);
      expect(lease?.data.length).toBe(0);
      expect(lease?.sizeBytes).toBe(0);
    }
    of.put('a', 'text', '');
    expect(of.get('a', 'text')?.text()).toBe('');
    of.append('a', 'u8', new Uint8Array(0));
    of.append('a', 'u8', Uint8Array.of(1));
    of.append('a', 'u8', new Uint8Array(0));
    of.append('a', 'text', '');
    of.append('a', 'text', 'x');
    of.append('a', 'text', '');
    expect(read(of, 'a', 'u8')).toEqual(Buffer.of(1));
    expect(of.get('a', 'text')?.text()).toBe('x');
    expectSound(of);
  });

  it('what the pool itself holds', async () => {
    const of = await pool(place());
    of.put('a', 'p', Uint32Array.of(1, 2, 3));
    const lease = of.get('a', 'p');
    of.put('a', 'copy', lease?.data as PartData);
    of.append('a', 'p', lease?.data as PartData);
    of.put('a', 'p', lease?.data as PartData);
    expect(of.get('a', 'copy')?.data).toEqual(Uint32Array.of(1, 2, 3));
    expect(of.get('a', 'p')?.data).toEqual(Uint32Array.of(1, 2, 3));
    expect(lease?.data).toEqual(Uint32Array.of(1, 2, 3));
  });
});

describe('large values', () => {
  const ci = process.env['CI'] === 'true';
  const sizeBytes = ci ? 512 * mib : 64 * mib;
  const capacityBytes = ci ? 2048 * mib : 192 * mib;

  it(`of ${sizeBytes / mib} MiB are put, appended to, streamed and read`, async () => {
    const path = freshPath();
    const of = await pool({ path, capacityBytes, segmentBytes: ci ? 1024 * mib : 128 * mib });
    const value = new Uint8Array(sizeBytes);
    for (let at = 0; at < sizeBytes; at += 4093) value[at] = at / 4093;
    of.put('a', 'p', value.subarray(0, sizeBytes - 10));
    of.append('a', 'p', value.subarray(sizeBytes - 10));
    const lease = of.get('a', 'p');
    expect(lease?.data.length).toBe(sizeBytes);
    expect(Buffer.compare(lease?.data as Uint8Array, value)).toBe(0);
    lease?.release();
    of.delete('a');
    const draft = of.beginPut('a', 'q', 1);
    for (let at = 0; at < sizeBytes; at += 5 * mib) draft.write(value.subarray(at, at + 5 * mib));
    draft.commit();
    await of.close();
    const again = await pool({ path });
    expect(Buffer.compare(again.get('a', 'q')?.data as Uint8Array, value)).toBe(0);
    expectSound(again);
  });

  it('above the largest are refused and change nothing', async () => {
    const of = await pool({ capacityBytes: 8 * mib, segmentBytes: 4 * mib });
    of.put('a', 'p', Uint8Array.of(1));
    const { maxPartBytes } = of.stats();
    expect(maxPartBytes).toBeLessThan(4 * mib);
    const before = of.stats();
    refuses(() => of.put('a', 'p', new Uint8Array(maxPartBytes + 1)), 'value_too_large');
    refuses(() => of.append('a', 'p', new Uint8Array(maxPartBytes)), 'value_too_large');
    refuses(() => of.append('a', 'q', new Uint8Array(maxPartBytes + 1)), 'value_too_large');
    refuses(() => of.beginPut('a', 'p', maxPartBytes + 1), 'value_too_large');
    const draft = of.beginPut('a', 'p', 0);
    draft.write(new Uint8Array(1000));
    refuses(() => draft.write(new Uint8Array(maxPartBytes)), 'value_too_large');
    refuses(() => draft.write(new Uint8Array(1)), 'invalid_argument');
    refuses(() => draft.commit(), 'invalid_argument');
    expect(read(of, 'a', 'p')).toEqual(Buffer.of(1));
    expect(of.stats()).toMatchObject({ parts: 1, partBytes: 1 });
    expect(of.stats().memory.liveBytes).toBe(before.memory.liveBytes);
    of.put('b', 'p', new Uint8Array(maxPartBytes));
    expect(read(of, 'b', 'p')?.length).toBe(maxPartBytes);
  });
});
