/** A process that serves. */

import { readFileSync } from 'node:fs';
import { systemClock } from '../base/clock.ts';
import { fail, hasCode } from '../errors.ts';
import { identityOf } from '../guard/caller.ts';
import { maintainEveryMs, type DataGuard } from '../guard/data-guard.ts';
import { pressureEveryMs, PressureRelief } from '../pool/pressure.ts';
import { createServer, type CenoteServer, type CloseReport } from '../server/server.ts';
import type { ServerNumbers } from '../server/numbers.ts';
import { printLine, type Io } from './io.ts';
import { reportError } from './report.ts';
import type { Listening } from './serve-announce.ts';
import type { ServeConfig } from './serve-config.ts';
import { openServedModels } from './serve-models.ts';

/** Running requests have this long to end once the server is asked to stop. */
export const stopDeadlineMs = 10_000;

export interface Serving extends Listening {
  numbers(): ServerNumbers;
  stop(): Promise<CloseReport>;
}

/** Listens, and looks after the guard until it is stopped. @throws address_unavailable */
export async function startServing(
  guard: DataGuard,
  config: ServeConfig,
  io: Io,
  gather?: () => Promise<ServerNumbers>,
): Promise<Serving> {
  const models = await openServedModels(config, io);
  const { engine, embedder, inferModels } = models;
  const server = createServer({
    guard,
    http: { host: config.host, port: config.port },
    ...(config.respPort !== undefined && { resp: { port: config.respPort } }),
    ...(gather !== undefined && { gather }),
    ...(engine !== undefined && { engine }),
    ...(embedder !== undefined && { embedder }),
    inferModels,
    onError: (error) => void reportError(error, config.json, io),
  });
  try {
    await listen(server, config);
  } catch (error) {
    await models.close();
    throw error;
  }
  const follow = (): void => {
    models
      .follow(guard.tenants().map(identityOf))
      .catch((error: unknown) => reportError(error, config.json, io));
  };
  follow();
  const maintaining = setInterval(() => {
    guard.maintain();
    follow();
  }, maintainEveryMs);
  maintaining.unref();
  const relief = new PressureRelief(guard, (path) => readFileSync(path, 'latin1'), systemClock);
  const relieving = setInterval(() => relieve(relief, config, io), pressureEveryMs);
  relieving.unref();
  return {
    url: server.urls[0] as string,
    respUrl: server.respUrl,
    model: engine?.models()[0]?.name,
    numbers: () => server.numbers(),
    async stop() {
      clearInterval(maintaining);
      clearInterval(relieving);
      const report = await server.close({ deadlineMs: stopDeadlineMs });
      await models.close();
      return report;
    },
  };
}

/** @throws address_unavailable */
async function listen(server: CenoteServer, { host, port: httpPort }: ServeConfig): Promise<void> {
  try {
    await server.listen();
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    const port = cause instanceof Error && 'port' in cause ? cause.port : httpPort;
    const reason = listenReasons[String(code)];
    if (reason === undefined) throw error;
    fail('address_unavailable', `cannot listen on ${host} port ${String(port)}: ${reason}`, error);
  }
}

const listenReasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something else does already',
  EACCES: 'this user may not',
  EADDRNOTAVAIL: 'this machine does not have that address',
  ENOTFOUND: 'there is no such host',
};

/** An error here is nobody's request: it is reported, and the server goes on. */
function relieve(relief: PressureRelief, config: ServeConfig, io: Io): void {
  try {
    relief.look();
  } catch (error) {
    // A snapshot holds memory for as long as it takes; pressure that lasts is answered after it.
    if (!hasCode(error, 'snapshot_in_progress')) reportError(error, config.json, io);
  }
}

export function tellCut({ cutConnections }: CloseReport, io: Io): void {
  if (cutConnections === 0) return;
  printLine(io.stderr, `cut ${cutConnections} connections that were still busy`);
}
