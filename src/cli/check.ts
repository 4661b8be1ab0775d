/** `cenote check PATH`: every invariant and checksum, of a pool or of all pools of a server. */

import { type CenoteError, hasCode } from '../errors.ts';
import type { CheckReport } from '../pool/api.ts';
import { openPool } from '../pool/open.ts';
import {
  isHalfRepaired,
  type Loss,
  repairPool,
  type RepairReport,
  resumeRepair,
} from '../pool/repair.ts';
import { printable } from './ansi.ts';
import { exitFailed, exitOk, type Arguments, type Command } from './command.ts';
import { formatBytes, formatCount, formatDuration } from './format.ts';
import { printJson, printLine, type Io } from './io.ts';
import { findPools, type PoolTarget } from './target.ts';

/** A pool in use changes under the reading: only what is wrong in each of this many readings counts. */
const readingsMax = 4;
/** Errors printed per pool; JSON has all of them. */
const printedErrors = 20;

interface PoolReport extends CheckReport {
  readonly path: string;
  /** Another process had the pool open: its figures are those of one moment. */
  readonly inUse: boolean;
  /** What was repaired before; the other figures are those after it. */
  readonly repair?: RepairReport;
}

export const checkCommand: Command = {
  name: 'check',
  summary: 'Verify every invariant and checksum of a pool',
  about: [
    'Opens the pool for reading and changes nothing. A pool that a server has open is checked too: figures may then be ' +
      'in motion, and only errors that several readings agree on count.',
    'With --repair, a pool that is damaged is made anew of the parts that are intact, and what is lost is told. The damaged segments stay in a ' +
      'folder beside the new ones (damaged-1, …) until you remove them: there must be room for both. A sound pool is left as it is, and so is one of ' +
      'which nothing can be saved. Nobody may have the pool open.',
    'JSON: {ok, version, errors, contexts, parts, partBytes, checksumsVerified, segments, inUse, pools}, the sums over ' +
      'all pools of a data folder first, then each pool; of those that were repaired, repair: {parts, partBytes, dropped, unnamed, impaired, findings, backup}.',
  ],
  positionals: [{ name: 'PATH', help: "the folder of a pool, or a server's data folder" }],
  options: { repair: { help: 'Save what is intact of damaged pools.' } },
  examples: [
    { line: 'cenote check ./data', what: 'all pools of a server' },
    { line: 'cenote check ./pools/acme --json | jq .ok', what: 'one pool, for a script' },
    {
      line: 'cenote check ./data --repair',
      what: 'and save what is intact of those that are damaged',
    },
  ],
  exitCodes: [
    { code: 0, meaning: 'everything is sound' },
    { code: 1, meaning: 'something is wrong, or there is no pool' },
    { code: 2, meaning: 'the command line is wrong' },
  ],
  async run(args: Arguments, io: Io): Promise<number> {
    const startMs = io.clock.nowMs();
    const reports: PoolReport[] = [];
    for (const target of findPools(args.positional(0))) {
      const report = args.flag('repair') ? await repaired(target) : await checkPool(target);
      reports.push(report);
      if (!args.flag('json')) printReport(report, io);
    }
    const ok = reports.every((report) => report.ok);
    if (args.flag('json')) printJson(io.stdout, summed(reports));
    else printVerdict(reports, io.clock.nowMs() - startMs, io);
    return ok ? exitOk : exitFailed;
  },
};

async function checkPool(target: PoolTarget): Promise<PoolReport> {
  let report = await readPool(target);
  let errors = report.errors;
  for (let reading = 1; report.inUse && errors.length > 0 && reading < readingsMax; reading++) {
    report = await readPool(target);
    const seen = new Set(report.errors);
    errors = errors.filter((error) => seen.has(error));
  }
  return { ...report, errors, ok: errors.length === 0 };
}

/** The pool as it is after what was necessary. @throws pool_busy, pool_corrupt where nothing can be saved */
async function repaired(target: PoolTarget): Promise<PoolReport> {
  resumeRepair(target.path);
  // Without its superblocks a pool does not look like one: repair looks at what else is there.
  const report = await checkPool(target).catch((error: unknown) => {
    if (hasCode(error, 'not_a_pool')) return undefined;
    throw error;
  });
  if (report?.ok === true) return report;
  const repair = repairPool(target.path);
  return { ...(await checkPool(target)), repair };
}

const halfRepaired = 'a repair was interrupted: finish it with --repair';

async function readPool({ path, tenant }: PoolTarget): Promise<PoolReport> {
  if (isHalfRepaired(path))
    return { ...nothing, path, inUse: false, ok: false, errors: [halfRepaired] };
  try {
    const pool = await openPool({ path, readOnly: true });
    try {
      return { ...pool.check(), path, inUse: pool.stats().ownersAlive > 0 };
    } finally {
      await pool.close();
    }
  } catch (error) {
    if (!isFinding(error, tenant !== undefined)) throw error;
    const errors = [`${error.code}: ${error.message}`];
    return { ...nothing, path, inUse: false, ok: false, errors };
  }
}

/** Damage that keeps a pool from opening is a finding, not a failure of the check; so is a tenant's folder without a pool. */
function isFinding(error: unknown, ofTenant: boolean): error is CenoteError {
  if (hasCode(error, 'pool_corrupt') || hasCode(error, 'format_unsupported')) return true;
  return ofTenant && hasCode(error, 'not_a_pool');
}

const nothing = {
  version: 0,
  contexts: 0,
  parts: 0,
  partBytes: 0,
  checksumsVerified: 0,
  segments: 0,
} as const;

/** One report over all pools; errors name their pool when there are several. */
function summed(
  reports: readonly PoolReport[],
): Omit<PoolReport, 'path'> & { readonly pools: readonly PoolReport[] } {
  const sum = (pick: (report: PoolReport) => number): number =>
    reports.reduce((total, report) => total + pick(report), 0);
  const errors = reports.flatMap((report) =>
    reports.length === 1 ? report.errors : report.errors.map((error) => `${report.path}: ${error}`),
  );
  return {
    ok: reports.every((report) => report.ok),
    version: Math.max(...reports.map((report) => report.version)),
    errors,
    contexts: sum((report) => report.contexts),
    parts: sum((report) => report.parts),
    partBytes: sum((report) => report.partBytes),
    checksumsVerified: sum((report) => report.checksumsVerified),
    segments: sum((report) => report.segments),
    inUse: reports.some((report) => report.inUse),
    pools: reports,
  };
}

function printReport(report: PoolReport, io: Io): void {
  const mark = report.ok ? io.out.green('ok') : io.out.red('NOT OK');
  printLine(io.stdout, `${mark}  ${printable(report.path)}`);
  if (report.version > 0) {
    const counts = [
      `format ${report.version}`,
      `${formatCount(report.contexts)} contexts`,
      `${formatCount(report.parts)} parts`,
      formatBytes(report.partBytes),
      `${formatCount(report.checksumsVerified)} checksums verified`,
      `${formatCount(report.segments)} ${report.segments === 1 ? 'segment' : 'segments'}`,
    ];
    printLine(io.stdout, `    ${counts.join(', ')}`);
  }
  if (report.repair !== undefined) printRepair(report.repair, io);
  if (report.inUse) printLine(io.stdout, '    in use by another process: figures may be in motion');
  printSome(report.errors, io.out.red('✗'), io);
}

function printSome(lines: readonly string[], mark: string, io: Io): void {
  for (const line of lines.slice(0, printedErrors))
    printLine(io.stdout, `    ${mark} ${printable(line)}`);
  const more = lines.length - printedErrors;
  if (more > 0) printLine(io.stdout, `    … and ${formatCount(more)} more: --json prints all`);
}

function printRepair(report: RepairReport, io: Io): void {
  const { parts, dropped, unnamed, impaired, findings, backup } = report;
  const saved = `${formatCount(parts)} parts saved, ${formatCount(dropped.length + unnamed)} lost`;
  printLine(io.stdout, `    ${io.out.yellow('repaired')}: ${saved}`);
  printSome(findings, io.out.yellow('!'), io);
  printSome(dropped.map(lossLine), io.out.red('lost'), io);
  if (unnamed > 0)
    printLine(
      io.stdout,
      `    ${io.out.red('lost')} ${formatCount(unnamed)} whose names are lost too`,
    );
  printSome(impaired.map(lossLine), io.out.yellow('impaired'), io);
  printLine(io.stdout, `    the damaged segments are in ${printable(backup)}`);
}

function lossLine({ id, part, why }: Loss): string {
  return `part ${JSON.stringify(part)} of ${JSON.stringify(id)}: ${why}`;
}

function printVerdict(reports: readonly PoolReport[], tookMs: number, io: Io): void {
  const bad = reports.filter((report) => !report.ok).length;
  const pools = `${formatCount(reports.length)} ${reports.length === 1 ? 'pool' : 'pools'}`;
  const verdict = bad === 0 ? 'sound' : `${bad} not ok`;
  printLine(io.stderr, io.err.dim(`${pools} checked in ${formatDuration(tookMs)}: ${verdict}`));
}
