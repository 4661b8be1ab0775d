/**
 * The data folder of a server.
 *
 * ```
 * DATA/                    0700
 * ├── keys.json            0600  { version, keys: [{ tenant, sha256, scopes, label?, createdAtMs }] }
 * ├── tenants.json         0600  { version, capacityBytes, tenants: [{ name, createdAtMs, quotas }] }
 * ├── .lock                0600  while one of the two is being changed
 * ├── control              0600  what the workers of a server know of each other, while it has some (shared-usage.ts)
 * ├── engine.salt          0600  secret in the names of what a model has computed
 * ├── engine/                    the folder of the pool that keeps what a model has computed, for all tenants
 * ├── onnx/                      likewise two of models on ONNX Runtime: tensors/, and vectors/, the embeddings that are kept
 * └── tenants/
 *     ├── default/         the folder of the pool of tenant `default`, which every server has
 *     └── acme/            likewise, of those that tenants.json names
 * ```
 */

import { join } from 'node:path';

import { defaultTenant } from './quotas.ts';

export interface DataLayout {
  readonly folder: string;
  readonly keysFile: string;
  readonly tenantsFile: string;
  readonly lockFile: string;
  readonly controlFile: string;
  /** Folder of the pool of a model's state. */
  readonly engineFolder: string;
  readonly engineSaltFile: string;
  /** Holds the folders of the pools of models on ONNX Runtime. */
  readonly onnxFolder: string;
  /** Holds a folder per tenant. */
  readonly tenantsFolder: string;
  /** Folder of the pool of tenant `default`. */
  readonly poolFolder: string;
}

export function dataLayout(dataFolder: string): DataLayout {
  const tenantsFolder = join(dataFolder, 'tenants');
  return {
    folder: dataFolder,
    keysFile: join(dataFolder, 'keys.json'),
    tenantsFile: join(dataFolder, 'tenants.json'),
    lockFile: join(dataFolder, '.lock'),
    controlFile: join(dataFolder, 'control'),
    engineFolder: join(dataFolder, 'engine'),
    engineSaltFile: join(dataFolder, 'engine.salt'),
    onnxFolder: join(dataFolder, 'onnx'),
    tenantsFolder,
    poolFolder: join(tenantsFolder, defaultTenant),
  };
}
