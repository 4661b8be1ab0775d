/** What the pools of a server have beside memory, as its options say. */

import { join } from 'node:path';
import { openKeyring } from '../codec/keyring.ts';
import type { TierChoices } from '../guard/open-pools.ts';
import type { Arguments, OptionSpec } from './command.ts';
import { parseBytes } from './format.ts';
import type { Io } from './io.ts';
import { Progress } from './progress.ts';

export interface TierConfig {
  /** Bound on the disk tier of each pool; undefined: there is none. */
  readonly diskBytes: number | undefined;
  /** Folder with a keyring for each tenant; undefined: nothing is sealed. */
  readonly keyringFolder: string | undefined;
}

/** Options of `serve`. */
export const tierOptions: Record<'disk' | 'keyring', OptionSpec> = {
  disk: {
    value: 'SIZE',
    help:
      'Keep a disk tier of up to so much for each tenant, in its folder: parts that memory has no room for go there, and what is written with ' +
      "durability=disk outlasts a power loss. 'off' keeps none. Needs the package lmdb.",
    env: 'CENOTE_DISK',
    fallback: 'off',
  },
  keyring: {
    value: 'DIR',
    help: "Seal what goes to the disk with keys from DIR/TENANT.json, made when they are not there. 'off' seals nothing.",
    env: 'CENOTE_KEYRING',
    fallback: 'off',
  },
};

export function readTierConfig(args: Arguments): TierConfig {
  const disk = args.required('disk');
  const keyring = args.required('keyring').text;
  return {
    diskBytes: disk.text === 'off' ? undefined : parseBytes(disk.text, disk.source),
    keyringFolder: keyring === 'off' ? undefined : keyring,
  };
}

/** For each tenant what its pool is opened with; a pool that is made anew from the disk shows how far that is. */
export function tiersOf(
  { diskBytes, keyringFolder }: TierConfig,
  io: Io,
): (tenant: string) => TierChoices {
  if (diskBytes === undefined) return () => ({});
  return (tenant) => {
    let progress: Progress | undefined;
    return {
      tiers: { disk: { maxBytes: diskBytes } },
      ...(keyringFolder !== undefined && {
        keyProvider: openKeyring(join(keyringFolder, `${tenant}.json`)),
      }),
      onProgress: (doneBytes, totalBytes) => {
        progress ??= new Progress({
          label: `Rebuild ${tenant}`,
          output: io.stderr,
          paint: io.err,
          clock: io.clock,
        });
        progress.update(doneBytes, totalBytes);
        if (doneBytes < totalBytes) return;
        progress.finish();
        progress = undefined;
      },
    };
  };
}
