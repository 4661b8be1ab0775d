export { openPool } from './pool/open.ts';
export { restorePool } from './pool/snapshot.ts';
export { CenoteError, errorTable, type ErrorCode } from './errors.ts';
export type { Clock } from './base/clock.ts';
export type { Audit, Budget, Hooks, TierSink } from './store/hooks.ts';
export type { KeyProvider } from './codec/key-provider.ts';
export { openKeyring, type Keyring } from './codec/keyring.ts';
export type * from './pool/api.ts';
export { elementTypes, operationNames } from './pool/api.ts';
