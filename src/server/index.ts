/** `cenote/server`: a pool over the network. */

export { assertAuthSafe, Keyring, keyRecord, type Auth, type KeyRecord } from './auth.ts';
export {
  dataLayout,
  loadOrCreateKey,
  type DataLayout,
  type KeyOptions,
  type LoadedKeys,
} from './data-folder.ts';
export { defaultHttpLimits, type HttpLimits } from './http/limits.ts';
export type { TrafficStats } from './http/traffic.ts';
export { createServer, type CenoteServer, type CloseReport, type ServerOptions } from './server.ts';
