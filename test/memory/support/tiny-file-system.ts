/** File systems of a few MiB, for tests that fill them. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from './regions.ts';
import { runToEnd } from '../../support/children.ts';

/** A file system of its own, `sizeBytes` large; undefined where this process may not mount. */
export function tinyFileSystem(sizeBytes: number): string | undefined {
  const folder = join(temporaryFolder(), 'tiny');
  mkdirSync(folder);
  const mounted = runToEnd('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', folder]);
  if (mounted.status !== 0) return undefined;
  onTestFinished(() => void runToEnd('umount', ['-l', folder]));
  return folder;
}

/** Whether this process may mount file systems. */
export const mayMount: boolean = ((): boolean => {
  const tried = runToEnd('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']);
  return tried.status === 0 && process.getuid?.() === 0;
})();
