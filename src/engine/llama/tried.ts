/**
 * Whether a model's file can be used, found out in a process of its own: llama.cpp checks files by assertions, and a damaged one may end the process that loads it. Paid
 * once per file, as long as it is the same.
 */

import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CenoteError, type ErrorCode, errorTable } from '../../errors.ts';
import type { KvType } from '../api.ts';
import { stampOf } from '../digest.ts';
import type { TrialOptions, TrialResult } from '../trial.ts';

/** Bounds: what a file takes grows with its size, whatever it says of itself. */
export interface TrialLimits {
  readonly timeBaseMs: number;
  readonly timePerMibMs: number;
  readonly memoryBaseBytes: number;
  /** Some weights are put in another order, in memory of its own. */
  readonly memoryPerByte: number;
}

export const trialLimits: TrialLimits = {
  timeBaseMs: 30_000,
  timePerMibMs: 60,
  memoryBaseBytes: 2 ** 30,
  memoryPerByte: 2,
};

const mib = 2 ** 20;
/** Files whose outcome is remembered. */
const knownMax = 64;
const saidMaxChars = 65_536;
const reasonMaxChars = 200;

/** The compiled program, beside the bundles; what runs from its source takes the one of the last build. */
const trialFile = fileURLToPath(
  new URL(
    import.meta.url.endsWith('.ts') ? '../../../dist/engine/trial.js' : '../engine/trial.js',
    import.meta.url,
  ),
);

/** Signals that come from outside: of us, an operator, or a system that is out of memory. */
const killers: ReadonlySet<NodeJS.Signals> = new Set(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP']);

interface Outcome {
  /** Undefined: it can be used. */
  readonly error: CenoteError | undefined;
  /** False where another time it may come out otherwise. */
  readonly isLasting: boolean;
}

const known = new Map<string, Promise<Outcome>>();

/**
 * Resolves when the file has been loaded and used once in another process, or was before.
 * @throws engine_model_invalid for a file that llama.cpp refuses, dies of, or does not come to an end with; engine_failed, engine_missing, engine_incompatible
 */
export async function tryModel(
  path: string,
  kvType: KvType,
  limits: TrialLimits = trialLimits,
): Promise<void> {
  const key = JSON.stringify([path, stampOf(path), kvType]);
  const outcome = known.get(key) ?? outcomeOf(path, kvType, limits);
  if (known.size >= knownMax) known.clear();
  known.set(key, outcome);
  const { error, isLasting } = await outcome;
  if (!isLasting) known.delete(key);
  if (error !== undefined) throw new CenoteError(error.code, error.message);
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly said: string;
  readonly complained: string;
}

async function outcomeOf(path: string, kvType: KvType, limits: TrialLimits): Promise<Outcome> {
  const { size } = statSync(path);
  const memoryMaxBytes = limits.memoryBaseBytes + limits.memoryPerByte * size;
  const timeMaxMs = limits.timeBaseMs + Math.ceil((limits.timePerMibMs * size) / mib);
  try {
    const ended = await run({ path, kvType, memoryMaxBytes }, timeMaxMs);
    const error = errorOf(path, timeMaxMs, ended);
    const isOfFile = error === undefined || error.code === 'engine_model_invalid';
    const isKilled = ended.signal !== null && killers.has(ended.signal);
    return { error, isLasting: isOfFile && !isKilled };
  } catch (cause) {
    const message = 'No process can be started to try the model.';
    return { error: new CenoteError('engine_failed', message, { cause }), isLasting: false };
  }
}

function run(options: TrialOptions, timeMaxMs: number): Promise<Ended> {
  const child = spawn(process.execPath, [trialFile, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // No debugger is to be started when it dies; of ours it needs nothing.
    env: { PATH: process.env['PATH'], GGML_NO_BACKTRACE: '1' },
  });
  const { promise, resolve, reject } = settling<Ended>();
  let said = '';
  let complained = '';
  let timedOut = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-saidMaxChars);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complained = (complained + text).slice(-saidMaxChars);
  });
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, timeMaxMs);
  child.once('error', (error) => {
    clearTimeout(timer);
    reject(error);
  });
  child.once('close', (code, signal) => {
    clearTimeout(timer);
    resolve({ code, signal, timedOut, said, complained });
  });
  return promise;
}

function settling<T>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((...both) => {
    [resolve, reject] = both;
  });
  return { promise, resolve, reject };
}

function errorOf(path: string, timeMaxMs: number, ended: Ended): CenoteError | undefined {
  const invalid = (what: string): CenoteError =>
    new CenoteError('engine_model_invalid', what + reasonOf(ended.complained));
  if (ended.timedOut) return invalid(`llama.cpp has not loaded ${path} within ${timeMaxMs} ms`);
  const result = ended.signal === null && ended.code === 0 ? resultIn(ended.said) : undefined;
  if (result === undefined) {
    const how = ended.signal ?? `exit code ${ended.code}`;
    return invalid(`llama.cpp ended its process on ${path} (${how})`);
  }
  if (result.code === undefined) return undefined;
  const isKnown = Object.hasOwn(errorTable, result.code);
  const code: ErrorCode = isKnown ? (result.code as ErrorCode) : 'engine_failed';
  if (code !== 'engine_model_invalid') return new CenoteError(code, result.message);
  return invalid(result.message.replace(/\.$/, ''));
}

function resultIn(said: string): TrialResult | undefined {
  try {
    return JSON.parse(said) as TrialResult;
  } catch {
    return undefined;
  }
}

/** What the library has complained of, if anything. */
function reasonOf(complained: string): string {
  const lines = complained.split('\n').filter((line) => line.trim() !== '');
  const line =
    lines.find((each) => each.includes('GGML_ASSERT')) ??
    lines.find((each) => /what\(\)|error|failed|invalid/i.test(each));
  if (line === undefined) return '.';
  const [shown] = /GGML_ASSERT.*/.exec(line) ?? [line.trim()];
  return `: ${shown.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, reasonMaxChars)}`;
}
