/**
 * Recorded allocations: gzipped CSV, a line per operation.
 *
 * ```
 * worker,time,action,id,size,kind
 * 0,12,allocate,1,96,blob
 * 0,15,free,1,96,blob
 * ```
 * time: microseconds since the recording began. id: of the block, never used again. size: bytes asked for.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type KindName, kinds } from '../../src/alloc/kind.ts';

export const traceHeader = 'worker,time,action,id,size,kind';

export interface TraceEvent {
  readonly worker: number;
  readonly timeUs: number;
  readonly action: 'allocate' | 'free';
  readonly id: number;
  readonly sizeBytes: number;
  readonly kind: KindName;
}

export function formatTrace(events: Iterable<TraceEvent>): string {
  const lines = [traceHeader];
  for (const { worker, timeUs, action, id, sizeBytes, kind } of events) {
    lines.push(`${worker},${timeUs},${action},${id},${sizeBytes},${kind}`);
  }
  return lines.join('\n') + '\n';
}

/** @throws Error naming the first line that is wrong */
export function parseTrace(text: string): TraceEvent[] {
  const [header, ...lines] = text.trimEnd().split(/\r?\n/);
  if (header !== traceHeader) throw new Error(`line 1 is not ${traceHeader}`);
  return lines.map((line, index) => {
    const event = parseLine(line);
    if (event === undefined) throw new Error(`line ${index + 2} is no operation: ${line}`);
    return event;
  });
}

const linePattern = /^(\d{1,9}),(\d{1,15}),(allocate|free),(\d{1,15}),(\d{1,15}),(\w+)$/;

function parseLine(line: string): TraceEvent | undefined {
  const [, worker, time, action, id, size, kind] = linePattern.exec(line) ?? [];
  if (action === undefined || !kinds.includes(kind as KindName)) return undefined;
  return {
    worker: Number(worker),
    timeUs: Number(time),
    action: action as TraceEvent['action'],
    id: Number(id),
    sizeBytes: Number(size),
    kind: kind as KindName,
  };
}

export function writeTrace(path: string, events: Iterable<TraceEvent>): void {
  writeFileSync(path, gzipSync(formatTrace(events)));
}

/** Reads gzipped or plain CSV. @throws Error */
export function readTrace(path: string): TraceEvent[] {
  const bytes = readFileSync(path);
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return parseTrace((isGzip ? gunzipSync(bytes) : bytes).toString('utf8'));
}

/** A trace as it is played: slots of a table in place of ids. */
export interface Script {
  /** Two words per operation: slot, and bytes to allocate, or 0 to free what is there. All is free at the end. */
  readonly words: Int32Array;
  readonly slots: number;
  readonly operations: number;
  readonly peakLiveBytes: number;
}

/**
 * Orders the operations by time, leaves out what frees nothing known, and frees at the end what was never freed.
 * @throws Error when a block is allocated twice or is larger than 2^31 − 1
 */
export function scriptOf(events: readonly TraceEvent[]): Script {
  const words: number[] = [];
  const live = new Map<number, { slot: number; sizeBytes: number }>();
  const spare: number[] = [];
  let slots = 0;
  let liveBytes = 0;
  let peakLiveBytes = 0;
  const release = (id: number): void => {
    const block = live.get(id);
    if (block === undefined) return; // allocated before the recording began
    live.delete(id);
    liveBytes -= block.sizeBytes;
    spare.push(block.slot);
    words.push(block.slot, 0);
  };
  for (const { action, id, sizeBytes } of events.toSorted((a, b) => a.timeUs - b.timeUs)) {
    if (action === 'free') {
      release(id);
      continue;
    }
    if (live.has(id)) throw new Error(`block ${id} is allocated twice`);
    if (sizeBytes < 1 || sizeBytes > 0x7fffffff) throw new Error(`block ${id} has ${sizeBytes} B`);
    const slot = spare.pop() ?? slots++;
    live.set(id, { slot, sizeBytes });
    liveBytes += sizeBytes;
    peakLiveBytes = Math.max(peakLiveBytes, liveBytes);
    words.push(slot, sizeBytes);
  }
  for (const id of live.keys()) release(id);
  const operations = words.length / 2;
  return { words: Int32Array.from(words), slots, operations, peakLiveBytes };
}
