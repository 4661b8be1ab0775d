/** Beside a block manager in Python: nano-vllm's, from a checkout, plays the same requests in the same run. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Histogram } from '../../src/base/histogram.ts';
import { measure, type Measured } from '../harness/rounds.ts';
import { type Row, toRow } from '../harness/row.ts';
import { ratioOfMedians } from '../harness/stats.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import {
  blockTokens,
  decodedTokens,
  Prompts,
  promptTokens,
  requestOperations,
  underWay,
} from './load.ts';
import { planOf, subjectOf } from './sizes.ts';

const blocks = 10_000;
const requestsPerRound = 500;
const rounds = 3;
const fasterBar = 20;
const workload = 'beside-python';
const driver = 'nano_vllm.py';
const interpreters = ['python3', '/usr/bin/python3'];
const limitMs = 300_000;

/** Its like: there, too, blocks go in the order in which they were let go. */
const like = 'lru';

export const pythonScenario: Scenario = { name: 'beside-python', run };

async function run(context: Context): Promise<Row[]> {
  const { python: checkout, log } = context;
  if (checkout === undefined) {
    log('  skipped: name a checkout of nano-vllm with --python PATH');
    return [];
  }
  const manager = join(checkout, 'nanovllm', 'engine', 'block_manager.py');
  if (!existsSync(manager)) throw new Error(`--python ${checkout}: there is no ${manager}`);
  const interpreter = interpreters.find(
    (each) => spawnSync(each, ['-c', 'import numpy, xxhash']).status === 0,
  );
  if (interpreter === undefined) {
    log(
      '  skipped: its Python packages are missing (apt-get install python3-numpy python3-xxhash)',
    );
    return [];
  }
  const requests = context.quick ? requestsPerRound / 5 : requestsPerRound;
  const [ours] = await measure([subjectOf(like, blocks, requests)], planOf(requests, context));
  const theirs = measureTheirs(interpreter, checkout, requests, context.folder);
  return rowsOf(ours as Measured, theirs);
}

function rowsOf(ours: Measured, theirs: Measured): Row[] {
  const value = ratioOfMedians(theirs.roundsNs, ours.roundsNs);
  const what = '× as fast as nano-vllm';
  const bars = [{ what, value, limit: fasterBar, direction: 'atLeast' as const }];
  return [toRow('kv', workload, ours, { bars }), toRow('kv', workload, theirs)];
}

interface Timed {
  readonly roundsNs: number[];
  readonly requestsNs: number[];
}

/** The same prompts from the start: it fills its blocks as ours did, and then plays rounds. */
function measureTheirs(
  interpreter: string,
  checkout: string,
  requests: number,
  folder: string,
): Measured {
  const filling = Math.ceil(blocks / 16 / 64) * 64 + 64;
  const prompts = new Int32Array((filling + rounds * requests) * promptTokens);
  new Prompts(blocks).write(prompts);
  const [promptFile, resultFile] = [join(folder, 'prompts.bin'), join(folder, 'result.json')];
  writeFileSync(promptFile, prompts);
  const settings = {
    blocks,
    blockTokens,
    promptTokens,
    decodedTokens,
    underWay,
    filling,
    requests,
  };
  // The compiled benchmark stands in dist-bench, the driver with the sources.
  const script = fileURLToPath(new URL(`../../../bench/kv/${driver}`, import.meta.url));
  const words = [script, checkout, promptFile, resultFile, JSON.stringify(settings)];
  const { status, stderr } = spawnSync(interpreter, words, { encoding: 'utf8', timeout: limitMs });
  if (status !== 0) throw new Error(`the Python driver failed: ${stderr}`);
  const { roundsNs, requestsNs } = JSON.parse(readFileSync(resultFile, 'utf8')) as Timed;
  const histogram = new Histogram();
  for (const ns of requestsNs) histogram.record(ns);
  return {
    name: 'nano-vllm',
    batch: requestOperations,
    roundsNs: roundsNs.map((ns) => ns / (requests * requestOperations)),
    histogram,
    settled: true,
  };
}
