/**
 * A load of our own: every connection keeps so many commands under way. Replies are told apart by length alone, so that the client costs little
 * beside the server.
 */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import type { Histogram } from '../../src/base/histogram.ts';

export type Operation = 'set' | 'get';

export interface Load {
  readonly operation: Operation;
  readonly sizeBytes: number;
  readonly connections: number;
  /** Commands under way on each connection. */
  readonly pipeline: number;
  /** Commands in all. */
  readonly count: number;
}

/** Keys that are written and read in turn. */
const keyCount = 16;
const readBytes: number = 2 ** 20;

function keyOf(number: number): string {
  return `load:${String(number % keyCount).padStart(4, '0')}`;
}

function commandOf(operation: Operation, number: number, value: Uint8Array): Uint8Array[] {
  const key = keyOf(number);
  if (operation === 'get') return [Buffer.from(`*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`)];
  const head = `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n`;
  return [Buffer.from(head), value, Buffer.from('\r\n')];
}

function replyBytes(operation: Operation, sizeBytes: number): number {
  return operation === 'set' ? 5 : `$${sizeBytes}\r\n`.length + sizeBytes + 2;
}

/** One connection with its commands under way. */
class Lane {
  readonly #socket: Socket;
  readonly #load: Load;
  readonly #commands: readonly Uint8Array[][];
  readonly #latencies: Histogram;
  readonly #left: { count: number };
  readonly #sentAtMs: number[] = [];
  readonly #replyBytes: number;
  #receivedBytes = 0;
  #number = 0;

  constructor(
    port: number,
    load: Load,
    commands: readonly Uint8Array[][],
    latencies: Histogram,
    left: { count: number },
  ) {
    this.#load = load;
    this.#commands = commands;
    this.#latencies = latencies;
    this.#left = left;
    this.#replyBytes = replyBytes(load.operation, load.sizeBytes);
    const onread = {
      buffer: Buffer.allocUnsafeSlow(readBytes),
      callback: (sizeBytes: number) => this.#receive(sizeBytes),
    };
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, onread });
  }

  async run(): Promise<void> {
    await once(this.#socket, 'connect');
    const closed = once(this.#socket, 'close');
    this.#send(this.#load.pipeline);
    await closed;
  }

  #send(count: number): void {
    this.#socket.cork();
    for (let i = 0; i < count && this.#left.count > 0; i++) {
      this.#left.count--;
      this.#sentAtMs.push(performance.now());
      const command = this.#commands[this.#number++ % this.#commands.length] as Uint8Array[];
      for (const piece of command) this.#socket.write(piece);
    }
    this.#socket.uncork();
    if (this.#sentAtMs.length === 0) this.#socket.destroy();
  }

  #receive(sizeBytes: number): boolean {
    this.#receivedBytes += sizeBytes;
    let done = 0;
    const nowMs = performance.now();
    while (this.#receivedBytes >= this.#replyBytes) {
      this.#receivedBytes -= this.#replyBytes;
      this.#latencies.record((nowMs - (this.#sentAtMs.shift() as number)) * 1e6);
      done++;
    }
    if (done > 0) this.#send(done);
    return true;
  }
}

/**
 * Times from the sending of a command to the last byte of its reply go to `latencies`, in nanoseconds.
 * @returns nanoseconds per operation
 */
export async function runLoad(port: number, load: Load, latencies: Histogram): Promise<number> {
  const value = Buffer.alloc(load.sizeBytes, 'x');
  const commands = Array.from({ length: keyCount }, (_, i) => commandOf(load.operation, i, value));
  const left = { count: load.count };
  const lanes = Array.from(
    { length: load.connections },
    () => new Lane(port, load, commands, latencies, left),
  );
  const startMs = performance.now();
  await Promise.all(lanes.map((lane) => lane.run()));
  return ((performance.now() - startMs) * 1e6) / load.count;
}
