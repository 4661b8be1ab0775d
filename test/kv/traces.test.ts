import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataFolder, loadTrace, type TraceName } from '../../bench/traces/load.ts';
import { CenoteError } from '../../src/errors.ts';
import { LineReader, maxLineLength } from '../../src/kv/traces/lines.ts';
import { readTrace, traceFormats, type TraceFormat } from '../../src/kv/traces/read.ts';
import { TraceBuilder, type Trace } from '../../src/kv/traces/trace.ts';
import { rounds, seed } from '../support/seed.ts';
import { requestsOf } from './support.ts';
import { fc } from '../support/properties.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cenote-trace-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(name: string, bytes: string | Buffer, format?: TraceFormat): Promise<Trace> {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return readTrace(path, { format });
}

/** What is read, in a form to compare. */
async function seen(name: string, bytes: string | Buffer, format?: TraceFormat): Promise<unknown> {
  const trace = await read(name, bytes, format);
  return {
    requests: requestsOf(trace),
    arrivalsMs: [...trace.arrivalsMs],
    distinct: trace.distinct,
  };
}

const mooncake = [
  '{"timestamp": 500, "input_length": 1030, "output_length": 5, "hash_ids": [7, 90, 3]}',
  '{"timestamp": 750, "hash_ids": [7, 90, 4], "session": "a"}',
  '{"timestamp": 800, "hash_ids": []}',
  '{"timestamp": 700, "hash_ids": ["f00dfeed00000001", 7]}',
].join('\n');
const mooncakeSeen = {
  requests: [[0, 1, 2], [0, 1, 3], [], [4, 0]],
  arrivalsMs: [0, 250, 300, 300],
  distinct: 5,
};

function record(timeS: number, id: bigint): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt32LE(timeS, 0);
  bytes.writeBigUInt64LE(id, 4);
  bytes.writeUInt32LE(4096, 12);
  bytes.writeBigInt64LE(-1n, 16);
  return bytes;
}

describe('formats', () => {
  it('mooncake: ids of blocks, times in milliseconds', async () => {
    expect(await seen('a.jsonl', mooncake)).toEqual(mooncakeSeen);
    expect(await seen('a.jsonl', `\n${mooncake.replaceAll('\n', '\r\n\n')}\n\n`)).toEqual(
      mooncakeSeen,
    );
  });

  it('gzip is seen whatever the name', async () => {
    expect(await seen('a.jsonl.gz', gzipSync(mooncake))).toEqual(mooncakeSeen);
    expect(await seen('a.jsonl', gzipSync(mooncake))).toEqual(mooncakeSeen);
    expect(await seen('a.jsonl.gz', mooncake)).toEqual(mooncakeSeen);
  });

  it('csv: a block per row, requests of consecutive rows', async () => {
    expect(await seen('b.csv', 'id\nx\ny\nx\n')).toEqual({
      requests: [[0], [1], [0]],
      arrivalsMs: [0, 0, 0],
      distinct: 2,
    });
    const rows =
      'Time,Request,ID,size\n1.5,r1,"a,b",1\n1.5,r1,"say ""hi""",1\n2,r2,"a,b",1\n9,r1, c ,1';
    expect(await seen('b.csv', rows)).toEqual({
      requests: [[0, 1], [0], [2]],
      arrivalsMs: [0, 500, 7500],
      distinct: 3,
    });
  });

  it('azure: blocks of 512 tokens that nobody shares', async () => {
    const rows =
      'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,1025,10\n2023-11-16 18:17:04.0319600,512,8\n';
    const expected = { requests: [[0, 1, 2], [3]], arrivalsMs: [0, 52], distinct: 4 };
    expect(await seen('c.csv', rows)).toEqual(expected);
    expect(await seen('c.txt', rows.replaceAll('00,', '00+00:00,'), 'azure')).toEqual(expected);
    expect(await seen('c.csv', `${rows}2023-11-16 18:17:05,0,1`)).toMatchObject({ distinct: 4 });
  });

  it('oraclegeneral: ids of 64 bits, times in seconds', async () => {
    const far = 2n ** 64n - 1n;
    const near = far - 1n;
    const bytes = Buffer.concat([
      record(10, 5n),
      record(10, far),
      record(12, near),
      record(12, 5n),
    ]);
    expect(await seen('d.oracleGeneral.bin', bytes)).toEqual({
      requests: [[0], [1], [2], [0]],
      arrivalsMs: [0, 0, 2000, 2000],
      distinct: 3,
    });
  });

  it.for([
    [
      'conversation',
      { requests: 12_031, references: 288_500, distinct: 182_790, lastMs: 3_536_999 },
    ],
    ['agentic', { requests: 10_190, references: 2_204_602, distinct: 89_521 }],
    ['azureCode', { requests: 8819 }],
    ['cloudPhysics', { requests: 113_872, references: 113_872, distinct: 48_974 }],
  ] as const satisfies [TraceName, object][])(
    'reads what was published: %s',
    async ([name, figures], context) => {
      const trace =
        (await loadTrace(name)) ??
        context.skip(`${dataFolder()} has no such trace (set CENOTE_DATA)`);
      expect({
        requests: trace.arrivalsMs.length,
        references: trace.references.length,
        distinct: trace.distinct,
        lastMs: trace.arrivalsMs.at(-1),
      }).toMatchObject(figures);
    },
  );
});

describe('what is no trace', () => {
  it.each([
    ['a.jsonl', '', 'there is no request in it'],
    ['a.jsonl', '[1]\n{}', 'line 1 has no timestamp'],
    ['a.jsonl', '{"timestamp":1}', 'line 1 has no hash_ids'],
    ['a.jsonl', '{"timestamp":1,"hash_ids":[1]}\nnull', 'line 2 is not a JSON object'],
    ['a.jsonl', '{"timestamp":1,"hash_ids":[1]', 'line 1 is not JSON'],
    ['a.jsonl', '{"timestamp":1,"hash_ids":[12345678901234567890]}', 'is not the id of a block'],
    ['a.jsonl', '{"timestamp":1,"hash_ids":[null]}', 'line 1: null is not the id of a block'],
    ['a.csv', 'time,size\n1,2', "the header has no column 'id', only: time, size"],
    ['a.csv', 'id,time\nx,later', "line 2: 'later' is not a time in seconds"],
    ['a.csv', 'id,time\n,1', 'line 2 has no id'],
    ['a.csv', 'id\n"x', 'line 2 has quotes that do not match'],
    ['a.csv', 'TIMESTAMP,ContextTokens\nnever,1', "line 2: 'never' is not a time"],
    ['a.csv', 'TIMESTAMP,ContextTokens\n2023-11-16,-1', 'line 2: -1 is not a number of tokens'],
    ['a.oracleGeneral', 'too short', 'it ends within a record of 24 bytes'],
    ['a.jsonl', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0]), 'it is compressed with zstd'],
  ])('%s of %j', async (name, bytes, message) => {
    const refused = read(name, bytes);
    await expect(refused).rejects.toMatchObject({ code: 'trace_malformed' });
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toThrow(join(folder, name));
  });

  it('is told from what cannot be read', async () => {
    const absent = readTrace(join(folder, 'absent.jsonl'));
    await expect(absent).rejects.toMatchObject({ code: 'io_failed' });
    await expect(readTrace(folder, { format: 'csv' })).rejects.toMatchObject({ code: 'io_failed' });
    await expect(read('trace', 'id\n1')).rejects.toMatchObject({ code: 'invalid_argument' });
    const path = join(folder, 'whole.jsonl');
    writeFileSync(path, mooncake);
    const reading = readTrace(path, { signal: AbortSignal.abort() });
    await expect(reading).rejects.toMatchObject({ code: 'aborted' });
  });

  it('may be cut short or damaged under its compression', async () => {
    const path = join(folder, 'cut.jsonl.gz');
    writeFileSync(path, gzipSync(mooncake));
    truncateSync(path, 60);
    await expect(readTrace(path)).rejects.toMatchObject({ code: 'trace_malformed' });
  });

  it('is bounded: a line has an end', () => {
    const reader = new LineReader(() => {});
    const chunk = Buffer.alloc(2 ** 22, 'x');
    expect(() => {
      for (let bytes = 0; bytes <= maxLineLength; bytes += chunk.length) reader.push(chunk);
    }).toThrow(expect.objectContaining({ code: 'trace_malformed' }));
  });

  it('never leads to anything but a coded error', async () => {
    const files = [
      mooncake,
      'Time,Request,ID\n1.5,r1,"a,b"\n2,r2,c\n',
      'TIMESTAMP,ContextTokens\n2023-11-16 18:17:03,1025\n',
    ].map((text) => Buffer.from(text));
    const damage = fc.array(
      fc.tuple(
        fc.nat(),
        fc.oneof(fc.constantFrom(...Buffer.from('",\n{}[]0e-')), fc.nat({ max: 255 })),
      ),
      { maxLength: 6 },
    );
    const property = fc.asyncProperty(
      fc.constantFrom(...files, gzipSync(files[0] as Buffer), record(1, 2n)),
      damage,
      fc.nat({ max: 100 }),
      fc.constantFrom(...traceFormats),
      async (file, changes, cut, format) => {
        const bytes = Buffer.from(file.subarray(0, Math.max(1, file.length - cut)));
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const outcome = await read('fuzz', bytes, format).catch((error: unknown) => error);
        if (outcome instanceof CenoteError) return;
        expect(outcome).not.toBeInstanceOf(Error);
        const { references, starts, arrivalsMs, distinct } = outcome as Trace;
        expect(starts.length).toBe(arrivalsMs.length + 1);
        expect(starts.at(-1)).toBe(references.length);
        expect(references.every((block) => block >= 0 && block < distinct)).toBe(true);
        expect(arrivalsMs.every((ms, index) => ms >= (arrivalsMs[index - 1] ?? 0))).toBe(true);
      },
    );
    await fc.assert(property, { seed: seed(), numRuns: rounds(500, 20_000) });
  });
});

describe('TraceBuilder', () => {
  it('grows with what it is given', () => {
    const builder = new TraceBuilder('long');
    for (let request = 0; request < 5000; request += 1) {
      builder.begin(request);
      builder.add(request % 3);
      builder.addFresh(2);
    }
    const trace = builder.build();
    expect(trace.distinct).toBe(10_003);
    expect(trace.references.length).toBe(15_000);
    expect(trace.starts.at(-1)).toBe(15_000);
    expect(trace.arrivalsMs.at(-1)).toBe(4999);
  });
});
