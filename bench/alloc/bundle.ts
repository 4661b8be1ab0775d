/** Bundles the thread that plays, as what is shipped is bundled: V8 folds constants and inlines functions within a module, not across. */

import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

/** Compiled modules in, one module out. */
const input = fileURLToPath(new URL('thread.js', import.meta.url));
export const bundledThread: URL = new URL('thread.bundled.js', import.meta.url);

export async function bundleThread(): Promise<void> {
  await build({
    input,
    platform: 'node',
    external: [/^node:/, /^@/, 'koffi'],
    treeshake: { moduleSideEffects: false },
    logLevel: 'warn',
    output: { file: fileURLToPath(bundledThread), format: 'esm' },
  });
}
