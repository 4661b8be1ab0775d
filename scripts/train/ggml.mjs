/** ggml, from the prebuilt library of llama.cpp, through koffi. Structs that are made with it belong to the pinned version of the package. */

import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(import.meta.url);
const platform = `${process.platform}-${process.arch}`;
export const koffi = require(`@koromix/koffi-${platform}`);

const folder = path.join(
  path.dirname(require.resolve(`@node-llama-cpp/${platform}`)),
  '..',
  'bins',
  platform,
);

/** What one exports serves those that are loaded later. @param {string} name */
const load = (name) => koffi.load(path.join(folder, name), { global: true });

export const base = load('libggml-base.so');
export const backends = load('libggml.v0.5.0.so');

const silent = koffi.pointer(koffi.proto('void Log(int, void *, void *)'));
base.func('void ggml_log_set(void *, void *)')(
  koffi.register(() => {}, silent),
  null,
);
// The one that this processor can run best is chosen.
backends.func('void ggml_backend_load_all_from_path(const char *)')(folder);
