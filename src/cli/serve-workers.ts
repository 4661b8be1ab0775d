/** Serves with several processes on the same pools: this one starts them, keeps their number, and replaces them. */

import { rmSync } from 'node:fs';
import { fail } from '../errors.ts';
import { maintainEveryMs, type DataGuard } from '../guard/data-guard.ts';
import { SharedUsage } from '../guard/shared-usage.ts';
import type { Io } from './io.ts';
import { reportError } from './report.ts';
import { announce } from './serve-announce.ts';
import type { ServeConfig } from './serve-config.ts';
import { withFirstKey } from './serve-guard.ts';
import { tellCut } from './serve-process.ts';
import { Team } from './serve-team.ts';
import { aborted } from './stop.ts';

/** Serves until the signal aborts. The guard, which keeps the data folder for this server, is left open. */
export async function serveWithWorkers(
  guard: DataGuard,
  config: ServeConfig,
  io: Io,
  signal: AbortSignal,
): Promise<void> {
  if (guard.poolType === 'shared') {
    fail('koffi_missing', 'Several workers need pools that processes share, and those need koffi.');
  }
  const shared = SharedUsage.create(config.layout.controlFile);
  const team = new Team(shared, io);
  const kill = (): void => team.kill();
  const replace = (): void => {
    team.replaceAll().catch((error: unknown) => reportError(error, config.json, io));
  };
  process.once('exit', kill);
  try {
    await withFirstKey(guard, config, io, async (key) => {
      announce(guard, await team.start(config.workers), key, config, io);
    });
    const maintaining = setInterval(() => guard.maintain(), maintainEveryMs);
    process.on('SIGHUP', replace);
    await aborted(signal);
    process.off('SIGHUP', replace);
    clearInterval(maintaining);
    tellCut({ cutConnections: await team.stop() }, io);
  } finally {
    team.kill();
    process.off('exit', kill);
    shared.close();
    rmSync(config.layout.controlFile, { force: true });
  }
}
