/**
 * From the start of a process to the first token: Node, the package, llama.cpp, the model, a context in a thread of its own, and a prompt of two words. Cold: the
 * files of model, libraries and package are put out of the page cache before each start (`dd iflag=nocache`; those of Node stay, others run it too).
 */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Row } from '../harness/row.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { type BenchModel, models } from './models.ts';
import { requestRow, type Times, timesOf } from './rows.ts';

const starts = 5;
const startsQuick = 1;

export const coldScenario: Scenario = {
  name: 'cold-start',
  async run(context) {
    const rows: Row[] = [];
    for (const model of models) rows.push(...(await startsOf(model, context)));
    return rows;
  },
};

async function startsOf(model: BenchModel, { quick, folder, log }: Context): Promise<Row[]> {
  const path = model.file(folder);
  const warm = timesOf(`${model.name}, warm`);
  const cold = timesOf(`${model.name}, cold`);
  await firstTokenNs(path); // reads what is not in the page cache
  for (let start = 0; start < (quick ? startsQuick : starts); start++) {
    note(warm, await firstTokenNs(path));
    const forgot = await forget([path, ...librariesAndPackage()]);
    if (forgot) note(cold, await firstTokenNs(path));
  }
  const told = [warm, cold].filter(({ roundsNs }) => roundsNs.length > 0);
  if (told.length === 1) log('  there is no dd that empties the page cache: nothing is cold');
  return told.map((times) => {
    const row = requestRow('cold-start', times, { note: what, pricePerHour: 0 });
    const { costPerMillion: _, ...rest } = row;
    return rest;
  });
}

const what = 'a new process each, to the first token of an engine without a pool, one thread';

function note(times: Times, ns: number): void {
  times.roundsNs.push(ns);
  times.latenciesNs.push(ns);
  times.firstNs.push(ns);
}

/** From before the process is made until its first line is here. */
async function firstTokenNs(modelPath: string): Promise<number> {
  const script = fileURLToPath(new URL('./cold-child.js', import.meta.url));
  const startedMs = performance.now();
  const child = spawn(process.execPath, [script, modelPath], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), gone]);
  const ns = (performance.now() - startedMs) * 1e6;
  const [code] = (await gone) as [number | null];
  if (code !== 0) throw new Error(`a process that makes one token ended with ${code}`);
  return ns;
}

/** Files of the package that are loaded, and shared libraries of the packages that bring them. */
function librariesAndPackage(): string[] {
  const require = createRequire(import.meta.url);
  const dist = fileURLToPath(new URL('../../../dist', import.meta.url));
  const folders = [join(dist, 'engine'), join(dist, 'chunks')];
  const names = [
    `@node-llama-cpp/${process.platform}-${process.arch}`,
    `@koromix/koffi-${process.platform}-${process.arch}`,
  ];
  for (const name of names) {
    try {
      folders.push(dirname(require.resolve(`${name}/package.json`)));
    } catch {
      // Not of this machine, or it does not tell of its package.
    }
  }
  return folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.(js|so[.\d]*|node)$/.test(entry.name))
        .map((entry) => join(entry.parentPath, entry.name)),
    );
}

/** @returns whether the files are out of the page cache, as far as one may ask for it */
async function forget(files: readonly string[]): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  try {
    for (const file of files) {
      await promisify(execFile)('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
    }
    return true;
  } catch {
    return false;
  }
}
