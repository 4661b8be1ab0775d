/** The options of `serve`. */

import { dataLayout, type DataLayout } from '../guard/layout.ts';
import { assertAuthSafe } from '../guard/loopback.ts';
import { workersMax } from '../guard/shared-usage.ts';
import type { Arguments, OptionSpec } from './command.ts';
import { parseBytes } from './format.ts';
import { engineOptions, readEngineConfig, type EngineConfig } from './serve-engine.ts';
import { onnxOptions, readOnnxConfig, type OnnxConfig } from './serve-onnx.ts';
import { readTierConfig, tierOptions, type TierConfig } from './serve-tiers.ts';

export const serveOptions: Record<string, OptionSpec> = {
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
  ...engineOptions,
  ...onnxOptions,
  ...tierOptions,
  'no-auth': { help: 'Ask for no key. Refused unless only this machine can reach the address.' },
  workers: {
    value: 'N',
    help: 'Processes that serve, all on the same pools. SIGHUP replaces them one by one.',
    env: 'CENOTE_WORKERS',
    fallback: '1',
  },
};

export interface ServeConfig {
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
  readonly engine: EngineConfig;
  readonly onnx: OnnxConfig;
  readonly tiers: TierConfig;
  readonly withAuth: boolean;
  readonly json: boolean;
  readonly workers: number;
}

/** Everything that can be wrong with the settings is found here, before anything is made. */
export function readConfig(args: Arguments): ServeConfig {
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
    engine: readEngineConfig(args),
    onnx: readOnnxConfig(args),
    tiers: readTierConfig(args),
    withAuth,
    json: args.flag('json'),
    workers: args.integer('workers', 1, mostWorkers),
  };
}

/** While they are replaced there is one more, and whoever starts them counts too. */
const mostWorkers: number = workersMax / 2 - 1;
