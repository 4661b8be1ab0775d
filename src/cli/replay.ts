/** `cenote replay TRACE`: real request traces, against caches on paper or against a server. */

import { writeFileSync } from 'node:fs';
import { policyNames, type PolicyName } from '../kv/replay/cache.ts';
import { policyNames as inFlightPolicyNames } from '../evict/policies.ts';
import { sizedPolicyNames, type SizedPolicyName } from '../kv/replay/sized.ts';
import { generatedTrace } from '../kv/traces/generate.ts';
import { readTrace, traceFormats, type TraceFormat } from '../kv/traces/read.ts';
import { requestCount, type Trace } from '../kv/traces/trace.ts';
import { fail } from '../errors.ts';
import {
  exitFailed,
  exitInterrupted,
  exitOk,
  UsageError,
  type Arguments,
  type Command,
  type Setting,
} from './command.ts';
import { formatCount, formatShortCount, parseBytes, parseInteger } from './format.ts';
import { printJson, printLine, type Io } from './io.ts';
import { Progress } from './progress.ts';
import { headerBytes } from './replay/block-bytes.ts';
import type { Speed } from './replay/player.ts';
import { serveTrace } from './replay/serve-trace.ts';
import { plotOf } from './replay/plot.ts';
import { simulate } from './replay/simulate.ts';
import { playSized } from './replay/sized.ts';
import { parseTarget, type Target } from './replay/target.ts';
import { serverTable, simulatedTable, sizedTable, traceLine } from './replay/view.ts';
import { reportError } from './report.ts';
import { listenForStop, type Stop } from './stop.ts';

const maxCapacityBlocks = 2 ** 31 - 1;
const maxBlockBytes = 2 ** 29;
const maxConcurrency = 256;
const maxSpeed = 1e6;

export const replayCommand: Command = {
  name: 'replay',
  summary: 'Play a trace of requests against a cache on paper, or against a server',
  about: [
    'In process it tells how many prompt blocks a cache of so many blocks would have hit, beside the offline optimum. A ' +
      'block counts as hit when it and all earlier blocks of its request are there, since that is the prefix that an ' +
      'engine need not compute again.',
    'With --target every block is real bytes on a server: each request asks for its blocks in order, reads the prefix ' +
      'that is there, compares it with what was written, and writes the rest. What a run leaves behind expires an hour ' +
      'after its end. A key is taken from the environment as CENOTE_API_KEY, or from the URL: resp://:KEY@HOST:PORT.',
    'Without a file: generated:conversation and generated:agentic are of the shape of published traces; generated:agentic:7 is ' +
      'another one like it.',
    'Traces may be gzipped. mooncake: JSON lines with timestamp (ms) and hash_ids. csv: a header with id, and perhaps ' +
      'time (s) and request, which joins consecutive rows. azure: TIMESTAMP, ContextTokens, GeneratedTokens; their ' +
      'prompts share nothing. oraclegeneral: the 24-byte records of libCacheSim.',
  ],
  positionals: [
    { name: 'TRACE', help: 'the file of a trace, or generated:conversation, generated:agentic' },
  ],
  options: {
    format: {
      value: 'FORMAT',
      help: `${traceFormats.join(', ')}. Default: as the file's name and header say.`,
    },
    policy: {
      value: 'POLICY',
      help: `In process: ${policyNames.join(', ')} or all.`,
      fallback: 'lru',
    },
    'capacity-blocks': {
      value: 'N,N…',
      help: 'In process: capacities of the cache.',
      fallback: '1000,5000,10000,50000',
    },
    'capacity-bytes': {
      value: 'SIZE,…',
      help: `In process, for traces that tell sizes: plain caches of so many bytes, ${sizedPolicyNames.join(', ')} or all.`,
    },
    'in-flight': {
      help:
        'In process: requests hold their blocks while they run, and their output takes more (20,000 prompt tokens and 40 generated ' +
        `tokens per second and request); ${inFlightPolicyNames.join(', ')} or all.`,
    },
    plot: { value: 'FILE', help: 'In process: writes hit ratio against capacity as an SVG there.' },
    target: {
      value: 'URL',
      help: 'A server: resp://HOST:PORT (also of Redis) or http://HOST:PORT.',
    },
    'block-bytes': { value: 'SIZE', help: 'On a server: bytes of a block.', fallback: '16KiB' },
    concurrency: {
      value: 'N',
      help: 'On a server: connections; each plays one request at a time.',
      fallback: '4',
    },
    speed: {
      value: 'N|flat',
      help: 'On a server: keep arrival times, N times as fast; flat: each request as soon as a connection is free.',
      fallback: 'flat',
    },
  },
  examples: [
    {
      line: 'cenote replay trace.jsonl.gz --capacity-blocks 5000 --json',
      what: 'what LRU would hit',
    },
    {
      line: 'cenote replay trace.jsonl.gz --policy all --plot hits.svg',
      what: 'all policies at several capacities, and a picture',
    },
    {
      line: 'cenote replay trace.jsonl.gz --target resp://127.0.0.1:6380',
      what: 'a server, as fast as it goes',
    },
    {
      line: 'cenote replay trace.jsonl.gz --target http://127.0.0.1:8080 --speed 60',
      what: 'an hour of arrivals in a minute',
    },
  ],
  exitCodes: [
    { code: 0, meaning: 'played to the end' },
    {
      code: 1,
      meaning: 'the trace or the server failed, or a block held other bytes than were written',
    },
    { code: 2, meaning: 'the command line is wrong' },
    { code: exitInterrupted, meaning: 'interrupted; what was played is shown' },
  ],
  async run(args: Arguments, io: Io): Promise<number> {
    const format = readFormat(args);
    const plan = readPlan(args, io.env);
    using stop = listenForStop(() => {});
    const name = args.positional(0);
    const trace = generatedTrace(name) ?? (await readTrace(name, { format, signal: stop.signal }));
    printLine(io.stderr, traceLine(trace, io.err));
    const json = args.flag('json');
    if (plan.target !== undefined) return await playOnServer(trace, plan, json, stop, io);
    if ('capacitiesBytes' in plan) return await playInBytes(trace, plan, json, stop, io);
    return await playOnPaper(trace, plan, json, stop, io);
  },
};

interface PaperPlan {
  readonly target: undefined;
  readonly policies: readonly PolicyName[];
  readonly capacities: readonly number[];
  readonly inFlight: boolean;
  /** File of the picture. */
  readonly plot: string | undefined;
}

interface BytesPlan {
  readonly target: undefined;
  readonly policies: readonly SizedPolicyName[];
  readonly capacitiesBytes: readonly number[];
}

interface ServerPlan {
  readonly target: Target;
  readonly blockBytes: number;
  readonly concurrency: number;
  readonly speed: Speed;
}

/** Everything that can be wrong with the options is found here, before the trace is read. */
function readPlan(args: Arguments, env: NodeJS.ProcessEnv): PaperPlan | BytesPlan | ServerPlan {
  const target = args.setting('target');
  const foreign =
    target === undefined
      ? ['block-bytes', 'concurrency', 'speed']
      : ['policy', 'capacity-blocks', 'capacity-bytes', 'in-flight', 'plot'];
  for (const name of foreign) {
    if (!args.flag(name)) continue;
    const place =
      target === undefined ? 'on a server: give --target too' : 'in process: leave --target out';
    throw new UsageError(`--${name} is for a replay ${place}`, 'See: cenote replay --help');
  }
  const bytes = args.setting('capacity-bytes');
  if (bytes !== undefined) return readBytesPlan(args, bytes);
  if (target === undefined) {
    const inFlight = args.flag('in-flight');
    const policies = readPolicies(args, inFlight ? inFlightPolicyNames : policyNames);
    const plot = args.setting('plot')?.text;
    return { target, policies, capacities: readCapacities(args), inFlight, plot };
  }
  return {
    target: parseTarget(target.text, env),
    blockBytes: readBlockBytes(args),
    concurrency: args.integer('concurrency', 1, maxConcurrency),
    speed: readSpeed(args),
  };
}

function readFormat(args: Arguments): TraceFormat | undefined {
  const setting = args.setting('format');
  if (setting === undefined) return undefined;
  const format = traceFormats.find((name) => name === setting.text);
  if (format !== undefined) return format;
  throw new UsageError(
    `--format '${setting.text}' is not known`,
    `Formats: ${traceFormats.join(', ')}.`,
  );
}

function readBytesPlan(args: Arguments, { text, source }: Setting): BytesPlan {
  for (const name of ['capacity-blocks', 'in-flight', 'plot']) {
    if (!args.flag(name)) continue;
    throw new UsageError(
      `--${name} does not go with --capacity-bytes`,
      'See: cenote replay --help',
    );
  }
  return {
    target: undefined,
    policies: readPolicies(args, sizedPolicyNames),
    capacitiesBytes: text.split(',').map((word) => parseBytes(word, source)),
  };
}

function readPolicies<T extends string>(args: Arguments, names: readonly T[]): readonly T[] {
  const { text } = args.required('policy');
  if (text === 'all') return names;
  const policy = names.find((name) => name === text);
  if (policy !== undefined) return [policy];
  throw new UsageError(`--policy '${text}' is not known`, `Policies: ${names.join(', ')}, all.`);
}

function readCapacities(args: Arguments): readonly number[] {
  const { text, source } = args.required('capacity-blocks');
  return text.split(',').map((word) => parseInteger(word, source, 1, maxCapacityBlocks));
}

function readBlockBytes(args: Arguments): number {
  const { text, source } = args.required('block-bytes');
  const blockBytes = parseBytes(text, source);
  if (blockBytes >= headerBytes && blockBytes <= maxBlockBytes) return blockBytes;
  return fail(
    'invalid_argument',
    `${source} '${text}' is not a size from ${headerBytes} to ${maxBlockBytes} bytes`,
  );
}

function readSpeed(args: Arguments): Speed {
  const { text, source } = args.required('speed');
  if (text === 'flat') return text;
  const speed = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (speed > 0 && speed <= maxSpeed) return speed;
  return fail(
    'invalid_argument',
    `${source} '${text}' is neither flat nor a number up to ${maxSpeed}`,
  );
}

async function playOnPaper(
  trace: Trace,
  { policies, capacities, inFlight, plot }: PaperPlan,
  json: boolean,
  stop: Stop,
  io: Io,
): Promise<number> {
  const progress = progressOf('blocks', io);
  const rows = await simulate({
    trace,
    policies,
    capacities,
    inFlight,
    signal: stop.signal,
    nowMs: () => performance.now(),
    onProgress: (done, total) => progress.update(done, total),
  });
  const wanted = policies.length * capacities.length;
  const isComplete = rows.length === wanted;
  endProgress(progress, isComplete);
  if (json) printJson(io.stdout, wanted === 1 && isComplete ? rows[0] : rows);
  else for (const line of simulatedTable(rows, io.out)) printLine(io.stdout, line);
  if (plot !== undefined) writePlot(plot, plotOf(rows));
  return isComplete ? exitOk : exitInterrupted;
}

function writePlot(path: string, picture: string): void {
  try {
    writeFileSync(path, picture);
  } catch (error) {
    fail('io_failed', `cannot write ${path}`, error);
  }
}

async function playInBytes(
  trace: Trace,
  { policies, capacitiesBytes }: BytesPlan,
  json: boolean,
  stop: Stop,
  io: Io,
): Promise<number> {
  const rows = await playSized(trace, policies, capacitiesBytes, stop.signal);
  if (json) printJson(io.stdout, policies.length * capacitiesBytes.length === 1 ? rows[0] : rows);
  else for (const line of sizedTable(rows, io.out)) printLine(io.stdout, line);
  return stop.signal.aborted ? exitInterrupted : exitOk;
}

async function playOnServer(
  trace: Trace,
  plan: ServerPlan,
  json: boolean,
  stop: Stop,
  io: Io,
): Promise<number> {
  const progress = progressOf('requests', io);
  const { report, failure } = await serveTrace({
    ...plan,
    trace,
    signal: stop.signal,
    nowMs: () => performance.now(),
    onProgress: (figures) => progress.update(figures.requests, requestCount(trace)),
  });
  endProgress(progress, report.complete);
  if (json) printJson(io.stdout, report);
  else for (const line of serverTable(report, io.out)) printLine(io.stdout, line);
  if (failure !== undefined) return reportError(failure, json, io);
  if (!report.complete) return exitInterrupted;
  return report.wrong > 0 ? exitFailed : exitOk;
}

function progressOf(unit: string, io: Io): Progress {
  const { stderr: output, err: paint, clock } = io;
  const format = (amount: number): string =>
    amount < 100_000 ? formatCount(amount) : formatShortCount(amount);
  return new Progress({ label: `replay, ${unit}`, output, paint, clock, format });
}

function endProgress(progress: Progress, isComplete: boolean): void {
  if (isComplete) progress.finish();
  else progress.note('interrupted: this is what was played');
}
