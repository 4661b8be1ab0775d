/** Says that a server listens. */

import type { DataGuard } from '../guard/data-guard.ts';
import { defaultTenant } from '../guard/quotas.ts';
import type { Io } from './io.ts';
import { bannerJson, bannerText, type Banner, type KeyNotice } from './serve-banner.ts';
import type { ServeConfig } from './serve-config.ts';
import { version } from './version.ts';

/** Where it listens. */
export interface Listening {
  readonly url: string;
  readonly respUrl?: string | undefined;
  /** Name of the model that answers. */
  readonly model?: string | undefined;
}

export function announce(
  guard: DataGuard,
  { url, respUrl, model }: Listening,
  key: KeyNotice,
  config: ServeConfig,
  io: Io,
): void {
  const contexts = guard.poolStats(defaultTenant)?.contexts ?? 0;
  const banner: Banner = {
    version: version(),
    url,
    respUrl,
    model,
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
