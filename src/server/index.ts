/** `cenote/server`: pools over the network. */

export type {
  Administration,
  Caller,
  Guard,
  KeyInfo,
  NewKey,
  NewKeyOptions,
  Quotas,
  Scope,
  ServedGuard,
  TenantStatus,
} from '../guard/api.ts';
export {
  openGuard,
  maintainEveryMs,
  type DataGuard,
  type GuardOptions,
} from '../guard/data-guard.ts';
export { loadOrCreateKey, type KeyOptions, type LoadedKeys } from '../guard/first-key.ts';
export { Keyring, keyRecord, type Auth, type KeyRecord } from '../guard/keyring.ts';
export { dataLayout, type DataLayout } from '../guard/layout.ts';
export { assertAuthSafe } from '../guard/loopback.ts';
export { defaultHttpLimits, type HttpLimits } from './http/limits.ts';
export type { TrafficStats } from './http/traffic.ts';
export { defaultRespLimits, type RespLimits } from './resp/limits.ts';
export type { RespStats } from './resp/traffic.ts';
export type { ServerNumbers } from './numbers.ts';
export { createServer, type CenoteServer, type CloseReport, type ServerOptions } from './server.ts';
