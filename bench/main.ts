/**
 * Benchmarks of the compiled library: `node dist-bench/bench/main.js SUITE`.
 * Exit codes: 0 measured (bars met or not: see the table), 1 a scenario failed, 2 wrong arguments.
 */

import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Args, readArgs, usage } from './args.ts';
import { describeMachine, machineLine, scratchRoot } from './harness/machine.ts';
import { barText, toTable, writeReport } from './harness/report.ts';
import { sinkValue } from './harness/rounds.ts';
import { isMet, type Row } from './harness/row.ts';
import type { Scenario, Suite } from './harness/suite.ts';
import { allocSuite } from './alloc/suite.ts';
import { engineSuite } from './engine/suite.ts';
import { kvSuite } from './kv/suite.ts';
import { manySuite } from './many/suite.ts';
import { poolsSuite } from './pools/suite.ts';
import { serverSuite } from './server/suite.ts';
import { storeSuite } from './store/suite.ts';

const suites: readonly Suite[] = [
  allocSuite,
  storeSuite,
  manySuite,
  poolsSuite,
  kvSuite,
  engineSuite,
  serverSuite,
];

/** Set when a signal ended a child: the rest is not run, but its folder is removed and what was measured is reported. */
let stopped = false;

function log(line: string): void {
  process.stderr.write(line + '\n');
}

async function main(): Promise<number> {
  let args: Args;
  try {
    args = readArgs(process.argv.slice(2));
    if (args.help) {
      process.stdout.write(usage);
      return 0;
    }
    checkSuite(args);
  } catch (error) {
    log(`bench: ${messageOf(error)}\n\n${usage}`);
    return 2;
  }
  return args.scenario === undefined ? runSuites(args) : runHere(args);
}

function chosen(args: Args): readonly Suite[] {
  return suites.filter(({ name }) => args.suite === 'all' || args.suite === name);
}

function checkSuite(args: Args): void {
  const named = chosen(args);
  if (named.length === 0) {
    throw new Error(
      `no suite ${args.suite}: there are ${suites.map(({ name }) => name).join(', ')}, all`,
    );
  }
  for (const suite of named) {
    if (args.scenario === undefined) scenariosOf(suite, args);
    if (args.workers > suite.workersMax) {
      throw new Error(
        `suite ${suite.name} runs with at most ${suite.workersMax} worker(s), not ${args.workers}`,
      );
    }
  }
}

/** @throws Error when one is to be recorded and not exactly one is named */
function scenariosOf({ scenarios }: Suite, { only, record, replay }: Args): readonly Scenario[] {
  if (replay !== undefined) return scenarios.filter(({ name }) => name === 'replay');
  const named = scenarios.filter(({ name }) => only === undefined || name.includes(only));
  if (record === undefined) return named.filter(({ name }) => name !== 'replay');
  const exact = scenarios.filter(({ name, records }) => name === only && records === true);
  if (exact.length !== 1) throw new Error('--record takes one workload: name it with --only');
  return exact;
}

/** The parent: one child process per scenario. */
async function runSuites(args: Args): Promise<number> {
  const machine = describeMachine();
  log(machineLine(machine));
  // Ctrl-C reaches the child as well; this process stays to clean up behind it.
  process.on('SIGINT', () => {
    stopped = true;
  });
  const rows: Row[] = [];
  const failed: string[] = [];
  for (const suite of chosen(args)) {
    rows.push(...(await runSuite(suite, args, failed)));
  }
  process.stdout.write(args.json ? JSON.stringify(rows, undefined, 1) + '\n' : tables(rows, args));
  if (args.out !== undefined) {
    for (const file of writeReport(args.out, rows, machine, suites)) log(`wrote ${file}`);
  }
  const bars = rows.flatMap((row) => row.bars ?? []);
  log(`${bars.filter(isMet).length} of ${bars.length} bars met`);
  if (failed.length > 0) log(`failed: ${failed.join(', ')}`);
  return failed.length > 0 ? 1 : 0;
}

/** A table for each suite. */
function tables(rows: readonly Row[], args: Args): string {
  return chosen(args)
    .map((suite) => {
      const own = rows.filter((row) => row.suite === suite.name);
      if (own.length === 0) return '';
      return suite.table?.(own, args.pricePerHour) ?? toTable(own);
    })
    .join('\n');
}

/** @returns the rows of what did not fail; names of what did go to `failed` */
async function runSuite(suite: Suite, args: Args, failed: string[]): Promise<Row[]> {
  const shared = mkdtempSync(join(scratchRoot(), 'cenote-bench-'));
  const rows: Row[] = [];
  try {
    await suite.prepare?.(shared, log);
    for (const scenario of scenariosOf(suite, args)) {
      if (stopped) break;
      log(`${suite.name}/${scenario.name}`);
      const result = await runInChild(suite, scenario, args, shared);
      if (result === undefined) failed.push(`${suite.name}/${scenario.name}`);
      else rows.push(...result);
      for (const { workload, bars = [] } of result ?? []) {
        for (const bar of bars) log(`  ${workload}: ${barText(bar)}`);
      }
    }
  } finally {
    rmSync(shared, { recursive: true, force: true });
  }
  return rows;
}

async function runInChild(
  suite: Suite,
  scenario: Scenario,
  args: Args,
  shared: string,
): Promise<Row[] | undefined> {
  const folder = mkdtempSync(join(scratchRoot(), 'cenote-bench-'));
  const childArgs = [suite.name, '--scenario', scenario.name, '--folder', folder];
  childArgs.push('--shared', shared, '--workers', String(args.workers));
  if (args.quick) childArgs.push('--quick');
  if (args.ablation) childArgs.push('--ablation');
  if (args.operations !== undefined) childArgs.push('--operations', String(args.operations));
  if (args.record !== undefined) childArgs.push('--record', args.record);
  if (args.python !== undefined) childArgs.push('--python', args.python);
  if (args.replay !== undefined) childArgs.push('--replay', args.replay);
  childArgs.push('--price-per-hour', String(args.pricePerHour));
  try {
    return await new Promise((resolve) => {
      let rows: Row[] | undefined;
      const child = fork(fileURLToPath(import.meta.url), childArgs, {
        execArgv: [...process.execArgv, '--expose-gc'],
        serialization: 'advanced',
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      const pass = (): void => void child.kill('SIGTERM');
      process.once('SIGTERM', pass);
      child.on('message', (message) => {
        rows = message as Row[];
      });
      child.on('exit', (code, signal) => {
        process.off('SIGTERM', pass);
        if (signal !== null) stopped = true;
        if (code !== 0) log(`  ended with ${signal ?? `exit code ${code}`}`);
        resolve(code === 0 ? rows : undefined);
      });
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The child. */
async function runHere(args: Args): Promise<number> {
  const isAsked = ({ name }: Scenario): boolean => name === args.scenario;
  const suite = chosen(args).find(({ scenarios }) => scenarios.some(isAsked));
  const scenario = suite?.scenarios.find(isAsked);
  if (scenario === undefined) throw new Error(`no scenario ${args.scenario}`);
  const folder = args.folder ?? mkdtempSync(join(scratchRoot(), 'cenote-bench-'));
  try {
    if (args.shared === undefined) await suite?.prepare?.(folder, log);
    const rows = await scenario.run({ ...args, shared: args.shared ?? folder, folder, log });
    if (process.send === undefined) process.stdout.write(tables(rows, args));
    else await new Promise((resolve) => process.send?.(rows, resolve));
    if (sinkValue() === 0x7fffffff) log('  (an unlikely sum)');
    return 0;
  } finally {
    if (args.folder === undefined) rmSync(folder, { recursive: true, force: true });
    if (process.connected) process.disconnect();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

process.exitCode = await main();
