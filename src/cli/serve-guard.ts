/** The rules of a served data folder, and its first key. */

import { rmSync } from 'node:fs';
import { hasCode } from '../errors.ts';
import { openGuard, type DataGuard } from '../guard/data-guard.ts';
import { loadOrCreateKey, presetKeys } from '../guard/first-key.ts';
import type { SharedUsage } from '../guard/shared-usage.ts';
import { printLine, type Io } from './io.ts';
import { reportError } from './report.ts';
import type { KeyNotice } from './serve-banner.ts';
import type { ServeConfig } from './serve-config.ts';
import { spaceNote } from './serve-space.ts';
import { tiersOf } from './serve-tiers.ts';

/** The data folder; where this machine cannot map files, pools that last as long as the process. */
export async function openServedGuard(
  config: ServeConfig,
  io: Io,
  worker?: SharedUsage,
): Promise<DataGuard> {
  const options = {
    withKeys: config.withAuth,
    extraKeys: config.withAuth ? presetKeys({ env: io.env }) : [],
    capacityBytes: config.capacityBytes,
    newCapacityBytes: config.newCapacityBytes,
    tiersOf: tiersOf(config.tiers, io),
    worker,
    onError: (error: unknown): void => void reportError(error, config.json, io),
  };
  // Opening reserves a first segment: said before it, the note explains why that may fail.
  const onCapacity = (bytes: number): void => {
    if (worker === undefined) warnOfSpace(config, bytes, io);
  };
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

/**
 * Makes a key at the first start, and runs `serve` with what there is to say of keys. When that fails nobody has seen the new key: the next start shall
 * make and show another.
 */
export async function withFirstKey<T>(
  guard: DataGuard,
  config: ServeConfig,
  io: Io,
  serve: (key: KeyNotice) => Promise<T>,
): Promise<T> {
  const made = config.withAuth
    ? await loadOrCreateKey(config.dataPath, { env: io.env })
    : undefined;
  const newKey = made?.newKey;
  if (newKey !== undefined) await guard.reload();
  try {
    return await serve(keyNotice(config, newKey, io));
  } catch (error) {
    if (newKey !== undefined) rmSync(config.layout.keysFile, { force: true });
    throw error;
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
