/** The operating system for those who can do without it. */

import { hasCode } from '../errors.ts';
import { osCalls } from './os.ts';
import type { OsCalls } from './os.ts';

/** The calls of this machine; undefined where koffi is missing or does not run. */
export function optionalCalls(): OsCalls | undefined {
  try {
    return osCalls();
  } catch (error) {
    if (hasCode(error, 'koffi_missing') || hasCode(error, 'platform_unsupported')) return undefined;
    throw error;
  }
}
