/** Trace files: what format they have, whether they are compressed, and their requests. */

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { CenoteError, fail } from '../../errors.ts';
import type { TraceReader } from './lines.ts';
import { mooncakeReader } from './mooncake.ts';
import { oracleGeneralReader } from './oracle-general.ts';
import { tableReader } from './table.ts';
import { requestCount, TraceBuilder, type Trace } from './trace.ts';

export const traceFormats = ['mooncake', 'azure', 'csv', 'oraclegeneral'] as const;
export type TraceFormat = (typeof traceFormats)[number];

export interface ReadTraceOptions {
  /** Default: what name and header say. */
  readonly format?: TraceFormat | undefined;
  /** Stops reading with `aborted`. */
  readonly signal?: AbortSignal;
}

/**
 * Reads a trace, gzipped or not.
 * @throws trace_malformed, value_too_large, io_failed, aborted
 */
export async function readTrace(path: string, options: ReadTraceOptions = {}): Promise<Trace> {
  const name = basename(path);
  const builder = new TraceBuilder(name);
  const reader = readerFor(builder, name, options.format);
  try {
    await readInto(reader, path, options.signal);
  } catch (error) {
    refuse(error, path);
  }
  const trace = builder.build();
  if (requestCount(trace) === 0) fail('trace_malformed', `${path}: there is no request in it`);
  return trace;
}

function readerFor(
  builder: TraceBuilder,
  name: string,
  format: TraceFormat | undefined,
): TraceReader {
  if (format === 'mooncake') return mooncakeReader(builder);
  if (format === 'oraclegeneral') return oracleGeneralReader(builder);
  if (format !== undefined) return tableReader(builder, format);
  if (/\.jsonl(\.|$)/i.test(name)) return mooncakeReader(builder);
  if (/oraclegeneral/i.test(name)) return oracleGeneralReader(builder);
  if (/\.csv(\.|$)/i.test(name)) return tableReader(builder, undefined);
  return fail(
    'invalid_argument',
    `the name ${name} does not tell its format: give one of ${traceFormats.join(', ')}`,
  );
}

async function readInto(reader: TraceReader, path: string, signal?: AbortSignal): Promise<void> {
  const consume = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of chunks) reader.push(chunk);
    reader.end();
  };
  const bounds = signal === undefined ? {} : { signal };
  const isGzip = await startsAsGzip(path);
  const file = createReadStream(path);
  if (isGzip) await pipeline(file, createGunzip(), consume, bounds);
  else await pipeline(file, consume, bounds);
}

/** What the file is compressed with is seen in its first bytes, whatever its name. */
async function startsAsGzip(path: string): Promise<boolean> {
  await using file = await open(path);
  const magic = Buffer.alloc(4);
  await file.read(magic, 0, magic.length, 0);
  if (magic.readUInt32LE(0) === 0xfd2fb528)
    fail('trace_malformed', 'it is compressed with zstd: unpack it first (zstd -d)');
  return magic[0] === 0x1f && magic[1] === 0x8b;
}

/** Errors of the file, each with its path. */
function refuse(error: unknown, path: string): never {
  if (error instanceof CenoteError) fail(error.code, `${path}: ${error.message}`, error.cause);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ABORT_ERR') fail('aborted', `reading ${path} was interrupted`);
  if (code.startsWith('Z_'))
    fail('trace_malformed', `${path}: its compressed data is damaged`, error);
  if (error instanceof Error && 'syscall' in error) fail('io_failed', `cannot read ${path}`, error);
  throw error;
}
