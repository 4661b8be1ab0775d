/** The operations that are killed at each of their memory accesses, and the pools they meet. */

import { changes } from './changes.ts';
import type { Scenario } from './harness.ts';
import { writes } from './writes.ts';

export const scenarios: readonly Scenario[] = [...writes, ...changes];
