/** `cenote serve`: the pools of a data folder over HTTP. */

import { readFileSync, rmSync } from 'node:fs';
import { systemClock } from '../base/clock.ts';
import { fail, hasCode } from '../errors.ts';
import { loadOrCreateKey, presetKeys } from '../guard/first-key.ts';
import { maintainEveryMs, openGuard, type DataGuard } from '../guard/data-guard.ts';
import { dataLayout, type DataLayout } from '../guard/layout.ts';
import { assertAuthSafe } from '../guard/loopback.ts';
import { defaultTenant } from '../guard/quotas.ts';
import { pressureEveryMs, PressureRelief } from '../pool/pressure.ts';
import { createServer, type CenoteServer } from '../server/server.ts';
import { exitOk, type Arguments, type Command } from './command.ts';
import { parseBytes } from './format.ts';
import { printLine, type Io } from './io.ts';
import { reportError } from './report.ts';
import { bannerJson, bannerText, type Banner, type KeyNotice } from './serve-banner.ts';
import { spaceNote } from './serve-space.ts';
import { readTierConfig, tierOptions, tiersOf, type TierConfig } from './serve-tiers.ts';
import { aborted, listenForStop } from './stop.ts';
import { version } from './version.ts';

/** Running requests have this long to end once the server is asked to stop. */
const stopDeadlineMs = 10_000;

export const serveCommand: Command = {
  name: 'serve',
  summary: 'Serve contexts over HTTP and RESP from pools on this machine',
  about: [
    'Each tenant has a pool in DATA/tenants/NAME that outlives the server, also a kill -9; there is one named default. ' +
      'The first start makes an API key and shows it once; CENOTE_API_KEY gives one of your own. See `cenote tenants` and ' +
      '`cenote keys`. Options count before environment variables, these before defaults.',
    'SIGINT (Ctrl-C) and SIGTERM stop the server when running requests are answered, within 10 s; a second signal ' +
      'stops it at once. With --json one line of JSON says where it listens: {version, pid, url, respUrl, pool, path, ' +
      'dataPath, capacityBytes, contexts}, and key at the first start.',
  ],
  positionals: [],
  options: {
    http: {
      value: 'PORT',
      help: 'Port of the HTTP API; 0 takes a free one.',
      env: 'CENOTE_HTTP',
      fallback: '8080',
    },
    resp: {
      value: 'PORT',
      help: "Port for the clients of Redis; 0 takes a free one, 'off' opens none.",
      env: 'CENOTE_RESP',
      fallback: '6380',
    },
    host: {
      value: 'HOST',
      help: 'Address to listen on.',
      env: 'CENOTE_HOST',
      fallback: '127.0.0.1',
    },
    data: {
      value: 'DIR',
      help: 'Data folder; made if it is not there.',
      env: 'CENOTE_DATA_DIR',
      fallback: './data',
    },
    capacity: {
      value: 'SIZE',
      help: 'Bound on the memory of all pools: 512m, 2GiB, 1e9. A data folder that exists keeps its own unless this is given.',
      env: 'CENOTE_CAPACITY',
      fallback: '2GiB',
    },
    ...tierOptions,
    'no-auth': { help: 'Ask for no key. Refused unless only this machine can reach the address.' },
  },
  examples: [
    { line: 'cenote serve', what: 'on port 8080, with its data in ./data' },
    {
      line: 'cenote serve --http 9000 --data /var/lib/cenote --capacity 16GiB',
      what: 'with settings of its own',
    },
    {
      line: 'CENOTE_API_KEY=$(openssl rand -hex 32) cenote serve',
      what: 'with a key that you know beforehand',
    },
    {
      line: 'cenote serve --http 0 --data "$(mktemp -d)" --json',
      what: 'for a test: a free port, and where it is',
    },
  ],
  exitCodes: [
    { code: 0, meaning: 'stopped by a signal, everything in order' },
    { code: 1, meaning: 'could not start, or could not stop in order' },
    { code: 2, meaning: 'the command line or the environment is wrong' },
    { code: 130, meaning: 'stopped at once by a second signal' },
  ],
  async run(args: Arguments, io: Io): Promise<number> {
    const config = readConfig(args);
    using stop = listenForStop((name) => {
      printLine(
        io.stderr,
        `${name}: stopping when running requests are answered; once more stops at once`,
      );
    });
    const guard = await openServedGuard(config, io);
    try {
      await serveGuard(guard, config, io, stop.signal);
    } finally {
      await guard.close();
    }
    printLine(io.stderr, 'stopped');
    return exitOk;
  },
};

interface ServeConfig {
  readonly host: string;
  readonly port: number;
  /** Undefined: RESP is not spoken. */
  readonly respPort: number | undefined;
  readonly dataPath: string;
  readonly layout: DataLayout;
  /** Undefined: as before … */
  readonly capacityBytes: number | undefined;
  /** … and this where there is nothing from before. */
  readonly newCapacityBytes: number;
  readonly tiers: TierConfig;
  readonly withAuth: boolean;
  readonly json: boolean;
}

/** Everything that can be wrong with the settings is found here, before anything is made. */
function readConfig(args: Arguments): ServeConfig {
  const host = args.required('host').text;
  const port = args.integer('http', 0, 65_535);
  const respPort =
    args.required('resp').text === 'off' ? undefined : args.integer('resp', 0, 65_535);
  const dataPath = args.required('data').text;
  const layout = dataLayout(dataPath);
  const capacity = args.required('capacity');
  const capacityBytes = parseBytes(capacity.text, capacity.source);
  const withAuth = !args.flag('no-auth');
  if (!withAuth) assertAuthSafe(host, 'none');
  return {
    host,
    port,
    respPort,
    dataPath,
    layout,
    capacityBytes: capacity.given ? capacityBytes : undefined,
    newCapacityBytes: capacityBytes,
    tiers: readTierConfig(args),
    withAuth,
    json: args.flag('json'),
  };
}

/** The data folder; where this machine cannot map files, pools that last as long as the process. */
async function openServedGuard(config: ServeConfig, io: Io): Promise<DataGuard> {
  const options = {
    withKeys: config.withAuth,
    extraKeys: config.withAuth ? presetKeys({ env: io.env }) : [],
    capacityBytes: config.capacityBytes,
    newCapacityBytes: config.newCapacityBytes,
    tiersOf: tiersOf(config.tiers, io),
    onError: (error: unknown): void => void reportError(error, config.json, io),
  };
  // Opening reserves a first segment: said before it, the note explains why that may fail.
  const onCapacity = (bytes: number): void => warnOfSpace(config, bytes, io);
  try {
    return await openGuard(config.dataPath, { ...options, onCapacity });
  } catch (error) {
    if (!hasCode(error, 'koffi_missing') && !hasCode(error, 'platform_unsupported')) throw error;
    const note = `${io.err.yellow('note:')} contexts will be gone when the server stops: ${error.message}`;
    printLine(io.stderr, note);
    printLine(io.stderr, `  ${error.advice}`);
    return openGuard(config.dataPath, { ...options, poolType: 'shared' });
  }
}

function warnOfSpace(config: ServeConfig, capacityBytes: number, io: Io): void {
  for (const line of spaceNote(config.dataPath, capacityBytes, io.err)) printLine(io.stderr, line);
}

/** Serves until the signal aborts. The guard is left open. */
async function serveGuard(
  guard: DataGuard,
  config: ServeConfig,
  io: Io,
  signal: AbortSignal,
): Promise<void> {
  const newKey = config.withAuth ? await firstKey(guard, config, io) : undefined;
  const server = createServer({
    guard,
    http: { host: config.host, port: config.port },
    ...(config.respPort !== undefined && { resp: { port: config.respPort } }),
    onError: (error) => void reportError(error, config.json, io),
  });
  try {
    await listen(server, config);
  } catch (error) {
    // Nobody has seen the key that was made for this start: the next one shall make and show another.
    if (newKey !== undefined) rmSync(config.layout.keysFile, { force: true });
    throw error;
  }
  const maintaining = setInterval(() => guard.maintain(), maintainEveryMs);
  maintaining.unref();
  const relief = new PressureRelief(guard, (path) => readFileSync(path, 'latin1'), systemClock);
  const relieving = setInterval(() => relieve(relief, config, io), pressureEveryMs);
  relieving.unref();
  announce(guard, server, keyNotice(config, newKey, io), config, io);
  await aborted(signal);
  clearInterval(maintaining);
  clearInterval(relieving);
  const { cutConnections } = await server.close({ deadlineMs: stopDeadlineMs });
  if (cutConnections > 0)
    printLine(io.stderr, `cut ${cutConnections} connections that were still busy`);
}

/** Makes a key at the first start. */
async function firstKey(
  guard: DataGuard,
  config: ServeConfig,
  io: Io,
): Promise<string | undefined> {
  const { newKey } = await loadOrCreateKey(config.dataPath, { env: io.env });
  if (newKey !== undefined) await guard.reload();
  return newKey;
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

function keyNotice(config: ServeConfig, newKey: string | undefined, io: Io): KeyNotice {
  const preset = io.env['CENOTE_API_KEY'];
  if (!config.withAuth) return { type: 'none' };
  if (newKey !== undefined) return { type: 'new', key: newKey };
  return preset === undefined || preset === ''
    ? { type: 'stored' }
    : { type: 'preset', key: preset };
}

function announce(
  guard: DataGuard,
  server: CenoteServer,
  key: KeyNotice,
  config: ServeConfig,
  io: Io,
): void {
  const contexts = guard.poolStats(defaultTenant)?.contexts ?? 0;
  const banner: Banner = {
    version: version(),
    url: server.urls[0] as string,
    respUrl: server.respUrl,
    dataPath: config.dataPath,
    keysFile: config.layout.keysFile,
    poolType: guard.poolType,
    poolPath: guard.poolType === 'mapped' ? config.layout.poolFolder : undefined,
    tenants: guard.tenants().length,
    capacityBytes: guard.capacityBytes,
    contexts,
    key,
    showPresetKey: io.stdout.isTTY === true,
  };
  io.stdout.write(config.json ? bannerJson(banner) : bannerText(banner, io.out));
}
