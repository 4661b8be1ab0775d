/** Handlers that read or write many parts at once. */

import { CenoteError, fail } from '../../errors.ts';
import type { Draft, ElementType, Lease, PutOptions } from '../../pool/api.ts';
import { partMaxBytes } from '../../store/options.ts';
import { BatchParser, batchLineMaxBytes, batchType, type BatchSink } from './batch-parser.ts';
import { announcedBytes, readJson, receive } from './body.ts';
import type { PoolExchange } from './exchange.ts';
import { writeParameters } from './parameters.ts';
import { bringBack } from './parts.ts';
import { problemOf } from './problem.ts';
import { checkObject, nameSchema, type ObjectSchema } from './schema.ts';
import { sendBytes, sendHead, sendJson } from './send.ts';
import { Utf8Check } from './utf8.ts';
import { defaultHttpLimits } from './limits.ts';

/** Shorter bytes are gathered, so that many small parts are few packets. */
const gatheredMaxBytes = 4096;

const partName: ObjectSchema = {
  type: 'object',
  properties: { id: nameSchema, part: nameSchema },
  required: ['id', 'part'],
  additionalProperties: false,
};

export const batchGetSchema: ObjectSchema = {
  type: 'object',
  properties: {
    parts: {
      type: 'array',
      items: partName,
      minItems: 1,
      maxItems: defaultHttpLimits.maxBatchParts,
    },
  },
  required: ['parts'],
  additionalProperties: false,
};

const batchLineSchema: ObjectSchema = {
  type: 'object',
  properties: {
    ...partName.properties,
    sizeBytes: { type: 'integer', minimum: 0, maximum: partMaxBytes },
    ifVersion: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    ...Object.fromEntries(writeParameters.map(({ name, schema }) => [name, schema])),
  },
  required: [...partName.required, 'sizeBytes'],
  additionalProperties: false,
};

interface PartName {
  readonly id: string;
  readonly part: string;
}

/** A part that was found, or why there is none. */
interface Found {
  readonly line: object;
  readonly lease: Lease | undefined;
}

/** All parts are leased before the first is sent: what is answered is of one moment. */
export async function batchGet(exchange: PoolExchange): Promise<void> {
  const { reservation, service } = exchange;
  const { maxBatchParts, maxBatchBytes } = service.limits;
  const { parts } = await readJson(exchange, batchGetSchema, batchLineMaxBytes);
  const names = parts as readonly PartName[];
  if (names.length > maxBatchParts) tooMany(maxBatchParts);
  const found: Found[] = [];
  try {
    const damaged = await bringAllBack(exchange, names);
    let sizeBytes = 0;
    for (const name of names) {
      const one = find(exchange, name, damaged.get(name));
      found.push(one);
      sizeBytes += one.lease?.sizeBytes ?? 0;
    }
    if (sizeBytes > maxBatchBytes) {
      fail('value_too_large', `The parts have ${sizeBytes} bytes, more than ${maxBatchBytes}.`);
    }
    reservation.growLeases(sizeBytes);
    const pieces = gather(found);
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    sendHead(exchange, 200, {
      'Content-Type': batchType,
      'Content-Length': String(length),
      'Cache-Control': 'no-store',
    });
    await sendBytes(exchange, ...pieces);
  } finally {
    for (const { lease } of found) lease?.release();
  }
}

/** What is on the disk only comes to memory. @returns why it could not, for parts that are damaged or whose key is not here */
async function bringAllBack(
  { pool }: PoolExchange,
  names: readonly PartName[],
): Promise<Map<PartName, unknown>> {
  const damaged = new Map<PartName, unknown>();
  if (!pool.hasDisk) return damaged;
  for (const name of names) {
    await bringBack({ pool, ...name }).catch((error: unknown) => damaged.set(name, error));
  }
  return damaged;
}

function find({ pool }: PoolExchange, { id, part }: PartName, damage: unknown): Found {
  if (damage !== undefined) {
    return { line: { id, part, ...outcomeOf(damage), sizeBytes: 0 }, lease: undefined };
  }
  try {
    const lease = pool.get(id, part);
    if (lease === undefined) {
      return { line: { id, part, status: 404, code: 'not_found', sizeBytes: 0 }, lease };
    }
    const { version, kind, elementType, sizeBytes } = lease;
    return { line: { id, part, status: 200, version, kind, type: elementType, sizeBytes }, lease };
  } catch (error) {
    return { line: { id, part, ...outcomeOf(error), sizeBytes: 0 }, lease: undefined };
  }
}

function gather(found: readonly Found[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  for (const { line, lease } of found) {
    small.push(Buffer.from(`${JSON.stringify(line)}\n`));
    if (lease === undefined || lease.sizeBytes === 0) continue;
    const { buffer, byteOffset, byteLength } = lease.data;
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    if (byteLength <= gatheredMaxBytes) {
      small.push(bytes);
    } else {
      pieces.push(Buffer.concat(small), bytes);
      small = [];
    }
  }
  return [...pieces, Buffer.concat(small)];
}

/** Each part is written whole or not at all, one after the other, and has an outcome of its own. */
export async function batchPut(exchange: PoolExchange): Promise<void> {
  const { req, reservation, service } = exchange;
  const { maxBodyBytes } = service.limits;
  const announced = announcedBytes(req, maxBodyBytes);
  reservation.growBody(announced ?? 0);
  const writer = new BatchWriter(exchange);
  const parser = new BatchParser((line) => writer.open(line));
  try {
    await receive(exchange, maxBodyBytes, (chunk) => {
      if (announced === undefined) reservation.growBody(chunk.length);
      parser.push(chunk);
    });
    parser.finish();
  } catch (error) {
    throw writer.explained(error);
  } finally {
    writer.close();
  }
  sendJson(exchange, 200, { results: writer.results });
}

class BatchWriter {
  readonly results: object[] = [];
  readonly #exchange: PoolExchange;
  #draft: Draft | undefined;

  constructor(exchange: PoolExchange) {
    this.#exchange = exchange;
  }

  open(line: unknown): { readonly sizeBytes: number; readonly sink: BatchSink } {
    const { maxBatchParts } = this.#exchange.service.limits;
    if (this.results.length === maxBatchParts) tooMany(maxBatchParts);
    const fields = checkObject(batchLineSchema, line, 'A line');
    const { id, part, sizeBytes, type, ...others } = fields as unknown as PartName & {
      readonly sizeBytes: number;
      readonly type?: ElementType;
    };
    // The schema has checked them, each under the name of its option.
    const options: PutOptions = { ...others, elementType: type ?? 'u8' };
    return { sizeBytes, sink: this.#sinkOf({ id, part }, sizeBytes, options) };
  }

  /** Bytes of a part that is refused are read and dropped: those that follow it are not affected. */
  #sinkOf(name: PartName, sizeBytes: number, options: PutOptions): BatchSink {
    const { pool } = this.#exchange;
    const { id, part } = name;
    const text = options.elementType === 'utf8' ? new Utf8Check() : undefined;
    let refused: object | undefined;
    const attempt = (work: () => void): void => {
      if (refused !== undefined) return;
      try {
        work();
      } catch (error) {
        refused = outcomeOf(error);
        this.close();
      }
    };
    attempt(() => {
      this.#draft = pool.beginPut(id, part, sizeBytes, options);
    });
    return {
      write: (chunk) =>
        attempt(() => {
          text?.push(chunk);
          this.#draft?.write(chunk);
        }),
      finish: () => {
        let written: object = {};
        attempt(() => {
          text?.finish();
          const status = pool.describe(id, part) === undefined ? 201 : 200;
          written = { status, version: this.#draft?.commit(), sizeBytes };
        });
        this.results.push({ id, part, ...(refused ?? written) });
      },
    };
  }

  /** An error of the batch as a whole, which says what of it is done. */
  explained(error: unknown): unknown {
    if (!(error instanceof CenoteError)) return error;
    const { code, message } = error;
    const done = this.results.length;
    return new CenoteError(code, `${message} ${done} parts before it have an outcome.`, {
      cause: error,
    });
  }

  /** Drops a part that is not complete. */
  close(): void {
    this.#draft?.abort();
    this.#draft = undefined;
  }
}

function outcomeOf(error: unknown): object {
  if (!(error instanceof CenoteError)) throw error;
  const { problem } = problemOf(error);
  return { status: problem.status, code: problem.code, detail: problem.detail };
}

function tooMany(maxParts: number): never {
  fail('invalid_argument', `A batch takes at most ${maxParts} parts.`);
}
