/**
 * openPool of a pool of 2 GiB, each time in a new process: closed in order, after kill -9 of its owner, and made anew from its disk tier after the
 * machine was down.
 */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { losePower } from '../../test/support/lose-power.ts';
import type { Bar, Row } from '../harness/row.ts';
import { median } from '../harness/stats.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { conversationIds } from '../store/ids.ts';
import { sizeName } from '../store/pools.ts';
import type { OpenReport } from './open-child.ts';
import { rowOf } from './open-time.ts';

/** What is in the pool: nearly as much as 2 GiB hold of large parts, and many of small ones. */
const fillings = [
  { sizeBytes: 2 ** 20, count: 1800 },
  { sizeBytes: 1024, count: 400_000 },
] as const;
/** From the disk: as much as a rebuild reads in some seconds. */
const rebuilds = [
  { sizeBytes: 2 ** 20, count: 1000 },
  { sizeBytes: 1024, count: 100_000 },
] as const;
const quickPart = 20;
const openings = 7;
const openingsQuick = 2;
const cleanBarNs = 50e6;
const killedBarNs = 1e9;
const run = promisify(execFile);

interface Filling {
  readonly sizeBytes: number;
  readonly count: number;
}

export const reopenScenario: Scenario = {
  name: 'reopen',
  async run(context) {
    const rows: Row[] = [];
    for (const filling of fillings)
      rows.push(...(await reopened(scaled(filling, context), context)));
    for (const filling of rebuilds) rows.push(await rebuilt(scaled(filling, context), context));
    return rows;
  },
};

function scaled({ sizeBytes, count }: Filling, { quick }: Context): Filling {
  return { sizeBytes, count: quick ? Math.ceil(count / quickPart) : count };
}

/** One pool, opened after it was closed, and after its owner was killed, in turns. */
async function reopened(filling: Filling, context: Context): Promise<Row[]> {
  const folder = join(context.folder, `reopen-${filling.sizeBytes}`);
  await fillIn('close', folder, filling, 'memory');
  const clean: OpenReport[] = [];
  const killed: OpenReport[] = [];
  for (let i = 0; i < (context.quick ? openingsQuick : openings); i += 1) {
    clean.push(await opened(folder, filling, 'memory'));
    await fillIn('kill', folder, { ...filling, count: 1 }, 'memory');
    killed.push(await opened(folder, filling, 'memory'));
  }
  const note = `2 GiB pool of ${noteOf(filling)}, a new process each`;
  return [
    openRow(filling, 'closed in order', clean, { note, limit: cleanBarNs }),
    openRow(filling, 'after kill -9', killed, { note, limit: killedBarNs }),
  ];
}

/** One pool with everything on its disk, whose machine goes down again and again. */
async function rebuilt(filling: Filling, context: Context): Promise<Row> {
  const folder = join(context.folder, `rebuild-${filling.sizeBytes}`);
  await fillIn('persist', folder, filling, 'disk');
  const reports: OpenReport[] = [];
  for (let i = 0; i < openingsQuick; i += 1) {
    losePower(folder);
    reports.push(await opened(folder, filling, 'disk'));
  }
  const note = `from the disk tier: ${noteOf(filling)}`;
  return openRow(filling, 'made anew', reports, { note });
}

function noteOf({ sizeBytes, count }: Filling): string {
  return `${count} parts of ${sizeName(sizeBytes)}`;
}

function openRow(
  { sizeBytes }: Filling,
  name: string,
  reports: readonly OpenReport[],
  { note, limit }: { readonly note: string; readonly limit?: number },
): Row {
  const openNs = reports.map((report) => report.openNs);
  const bars: Bar[] =
    limit === undefined
      ? []
      : [{ what: 'ns to open', value: median(openNs), limit, direction: 'atMost' }];
  return rowOf(`reopen-${sizeName(sizeBytes)}`, name, openNs, { bars, note });
}

/** A process that fills the pool and ends as told. */
async function fillIn(
  end: 'close' | 'kill' | 'persist',
  folder: string,
  { sizeBytes, count }: Filling,
  tiers: 'memory' | 'disk',
): Promise<void> {
  const child = fileURLToPath(new URL('./fill-child.js', import.meta.url));
  const args = [child, folder, String(count), String(sizeBytes), end, tiers];
  await run(process.execPath, args).catch((error: unknown) => {
    if (end !== 'kill' || (error as { signal?: string }).signal !== 'SIGKILL') throw error;
  });
}

async function opened(
  folder: string,
  { count }: Filling,
  tiers: 'memory' | 'disk',
): Promise<OpenReport> {
  const child = fileURLToPath(new URL('./open-child.js', import.meta.url));
  const id = conversationIds(1)[0] as string;
  const { stdout } = await run(process.execPath, [child, folder, String(count), id, tiers]);
  return JSON.parse(stdout) as OpenReport;
}
