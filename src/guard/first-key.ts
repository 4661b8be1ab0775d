/** The key of the first start, and the one that the environment gives. */

import { randomBytes } from 'node:crypto';

import { systemClock, type Clock } from '../base/clock.ts';
import { DataFolder } from './data-folder.ts';
import { freshKey, Keyring, keyRecord, type KeyRecord } from './keyring.ts';

export interface KeyOptions {
  /** Where CENOTE_API_KEY is looked for. Default: the environment of the process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  /** Secret randomness. Default: the system's. */
  readonly randomBytes?: (sizeBytes: number) => Buffer;
}

export interface LoadedKeys {
  readonly keyring: Keyring;
  /** The key that was just made; it is stored nowhere, so show it. */
  readonly newKey: string | undefined;
}

/** CENOTE_API_KEY as a key of tenant `default` that may do everything. @throws invalid_argument when it cannot be a key */
export function presetKeys(options: KeyOptions = {}): readonly KeyRecord[] {
  const preset = (options.env ?? process.env)['CENOTE_API_KEY'];
  if (preset === undefined || preset === '') return [];
  return [keyRecord(preset, (options.clock ?? systemClock).nowMs())];
}

/**
 * The keys of a data folder; makes both on the first start. CENOTE_API_KEY is accepted too while it
 * is set: it is never stored, and no key is made on a first start that has it.
 * @throws invalid_argument for a damaged keys.json or an unusable CENOTE_API_KEY, io_failed
 */
export async function loadOrCreateKey(
  dataFolder: string,
  options: KeyOptions = {},
): Promise<LoadedKeys> {
  const preset = presetKeys(options);
  const folder = new DataFolder(dataFolder, options.clock);
  const { keys } = await folder.read();
  if (keys !== undefined || preset.length > 0) {
    return { keyring: new Keyring([...(keys ?? []), ...preset]), newKey: undefined };
  }
  const newKey = freshKey(options.randomBytes ?? randomBytes);
  const made = [keyRecord(newKey, folder.clock.nowMs())];
  return folder.change<LoadedKeys>(({ keys: others }) =>
    // Another process may have been first: its key holds, and this one was never shown to anyone.
    others === undefined
      ? [{ keys: made }, { keyring: new Keyring(made), newKey }]
      : [{}, { keyring: new Keyring(others), newKey: undefined }],
  );
}
