/**
 * An atomic operation on the words of a WebAssembly.Memory that is compiled into its caller.
 *
 * For each function of `Atomics` V8 calls a builtin of some hundred instructions, of which the atomic one takes a seventh. WebAssembly has the
 * instruction, and V8 inlines the call where it is always the same function's. Where those of several memories take turns it does not, and a call takes longer than the
 * builtin: so each thread has one function, of the first memory that asks for it.
 */

import { readFileSync } from 'node:fs';

/** Sets bits of the word that begins at byte `byte` of a buffer; returns the old word. Sequentially consistent, as `Atomics.or`. */
export type OrAt = (byte: number, bits: number) => number;

/** A WebAssembly.Memory that is shared: structured-cloneable, unlike its buffer with what belongs to it. */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer;
}

interface Limits {
  readonly initial: number;
  readonly maximum: number;
  readonly shared: true;
}

/** As far as we need it; the types of Node.js do not have it. */
declare const WebAssembly:
  | undefined
  | {
      readonly Memory: new (limits: Limits) => WasmMemory;
      readonly Module: new (bytes: Uint8Array) => object;
      readonly Instance: new (
        module: object,
        imports: object,
      ) => { readonly exports: { readonly orAt: OrAt } };
    };

/** Of a memory of WebAssembly. */
const wasmPageBytes = 65_536;

/**
 * ```wat
 * (module
 *   (import "of" "memory" (memory 1 65536 shared))
 *   (func (export "orAt") (param $byte i32) (param $bits i32) (result i32)
 *     (i32.atomic.rmw.or (local.get $byte) (local.get $bits))))
 * ```
 */
const moduleBytes: Uint8Array = Uint8Array.from(
  [
    [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // magic, version
    [0x01, 0x07, 0x01, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f], // type: (i32, i32) → i32
    [0x02, 0x11, 0x01, 0x02, ...ascii('of'), 0x06, ...ascii('memory')], // import
    [0x02, 0x03, 0x01, 0x80, 0x80, 0x04], // … a shared memory of 1 to 65536 pages
    [0x03, 0x02, 0x01, 0x00], // function 0 is of type 0
    [0x07, 0x08, 0x01, 0x04, ...ascii('orAt'), 0x00, 0x00], // export
    [0x0a, 0x0c, 0x01, 0x0a, 0x00, 0x20, 0x00, 0x20, 0x01], // code: local.get 0, local.get 1
    [0xfe, 0x33, 0x02, 0x00, 0x0b], // i32.atomic.rmw.or, aligned to 4 bytes, offset 0; end
  ].flat(),
);

function ascii(text: string): number[] {
  return [...Buffer.from(text, 'latin1')];
}

let isTaken = false;

/** Shared memory for `orAtOf`, all zero; undefined where this thread has its function already, or this Node.js no WebAssembly, or addresses are limited. */
export function newWasmMemory(sizeBytes: number): WasmMemory | undefined {
  if (isTaken || typeof WebAssembly === 'undefined' || areAddressesLimited()) return undefined;
  const pages = sizeBytes / wasmPageBytes;
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch {
    return undefined;
  }
}

/** A WebAssembly.Memory takes 10 GiB of addresses, whatever its size: of a limit (`ulimit -v`) it would leave too little for all else. */
function areAddressesLimited(): boolean {
  try {
    return !/^Max address space +unlimited /m.test(readFileSync('/proc/self/limits', 'latin1'));
  } catch {
    return false; // no Linux
  }
}

/** This thread's function for `memory`; undefined where it has one for another, or may not have any. */
export function orAtOf(memory: WasmMemory): OrAt | undefined {
  if (isTaken || typeof WebAssembly === 'undefined') return undefined;
  try {
    const module = new WebAssembly.Module(moduleBytes);
    const { orAt } = new WebAssembly.Instance(module, { of: { memory } }).exports;
    isTaken = true;
    return orAt;
  } catch {
    return undefined; // where code must not be made
  }
}

/** The function that this thread has will not be called: the next memory that asks has one. */
export function letGoOfOrAt(): void {
  isTaken = false;
}

/** Whether `value`, which may be anything, is a memory of `sizeBytes` that threads share. Where there is no WebAssembly nobody asks more of it. */
export function isWasmMemory(value: unknown, sizeBytes: number): value is WasmMemory {
  if (typeof WebAssembly === 'undefined') return true;
  if (!(value instanceof WebAssembly.Memory)) return false;
  const { buffer } = value;
  return buffer instanceof SharedArrayBuffer && buffer.byteLength === sizeBytes;
}
