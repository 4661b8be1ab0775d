/** Programs whose file calls are recorded, and what is left of their files when the power fails after any of them. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, onTestFinished } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import { Disk, type Image, type Names } from './disk.ts';
import { kind, type LogRecord, parseLog } from './log.ts';
import { hasCommand, runToEnd } from '../../support/children.ts';

/** What a test says that skips itself; undefined where there is a C compiler. */
const withoutCompiler: string | undefined =
  process.platform !== 'linux'
    ? 'recording file calls needs Linux'
    : hasCommand('cc')
      ? undefined
      : 'no C compiler: provide it with `sudo apt-get install build-essential`';

/** Skips all tests of a file, or of a group, where nothing can be recorded. */
export function needsCompiler(): void {
  beforeEach((context) => {
    if (withoutCompiler !== undefined) context.skip(withoutCompiler);
  });
}

/** A disk takes a while: others write meanwhile. */
const syncUs = '1000';
const source = fileURLToPath(new URL('../recorder.c', import.meta.url));
let library: string | undefined;

/** The recorder, built for preloading. */
export function recorder(): string {
  if (library === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'cenote-recorder-'));
    library = join(folder, 'recorder.so');
    const options = ['-O1', '-Wall', '-Wextra', '-shared', '-fPIC', '-o', library, source, '-ldl'];
    const { status, stderr } = runToEnd('cc', options);
    if (status !== 0) throw new Error(`cc: ${stderr}`);
  }
  return library;
}

export interface Recording {
  /** The folder that was recorded. */
  readonly under: string;
  /** The folder that it was in, as long as the test runs: what the program has left beside. */
  readonly scratch: string;
  readonly records: readonly LogRecord[];
}

/**
 * Runs a program to its end. It gets the folder that it may write to, which is empty, and then `words`. @param mapped what it writes through
 * mappings is recorded when it is synced
 */
export function recordProgram(
  program: URL,
  words: readonly string[] = [],
  mapped: boolean = false,
): Recording {
  const scratch = mkdtempSync(join(tmpdir(), 'cenote-power-'));
  onTestFinished(() => rmSync(scratch, { recursive: true, force: true }));
  const under = join(scratch, 'disk');
  const log = join(scratch, 'log');
  mkdirSync(under);
  const { status, signal } = runToEnd(process.execPath, [fileURLToPath(program), under, ...words], {
    env: {
      ...process.env,
      LD_PRELOAD: recorder(),
      CENOTE_RECORD_UNDER: under,
      CENOTE_RECORD_LOG: log,
      CENOTE_SYNC_US: syncUs,
      ...(mapped ? { CENOTE_RECORD_MAPPED: '1' } : {}),
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) throw new Error(`${program.pathname} ended with ${status ?? signal}`);
  const records = parseLog(readFileSync(log));
  rmSync(under, { recursive: true, force: true });
  return { under, scratch, records };
}

export interface Outage {
  readonly image: Image;
  /** What the program had promised until then. */
  readonly acknowledged: readonly string[];
  /** Files that have been synced under the names that they have. */
  readonly synced: ReadonlySet<string>;
  /** Names the outage, for messages. */
  readonly name: string;
}

/** What is left when the power fails, `count` times, each after another call or with other pages lost; among the last `calls` if that is given. */
export function* outages(
  { under, records }: Recording,
  count: number,
  seed: number,
  names: Names,
  calls: number = records.length,
): Generator<Outage> {
  const random = new Random(seed);
  const points = Array.from({ length: count }, () => records.length - random.below(calls + 1));
  const disk = new Disk(under, names);
  const acknowledged: string[] = [];
  const synced = new Set<string>();
  let applied = 0;
  for (const point of points.sort((a, b) => a - b)) {
    for (; applied < point; applied++) {
      const record = records[applied] as LogRecord;
      if (record.kind === kind.acknowledged) acknowledged.push(record.data.toString());
      else disk.apply(record);
      if (record.kind === kind.sync) synced.add(record.path.slice(under.length + 1));
    }
    yield {
      image: disk.lose(random),
      acknowledged: [...acknowledged],
      synced: new Set(synced),
      name: `after call ${point} of seed ${seed}, ${names}`,
    };
  }
}
