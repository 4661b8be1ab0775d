/** A suite is a list of scenarios; each runs in a process of its own, so that neither machine code nor memory of one meets the next. */

import type { Row } from './row.ts';

export interface Context {
  readonly quick: boolean;
  /** Fresh and empty, in memory where the machine has /dev/shm; removed afterwards. */
  readonly folder: string;
  /** Progress, to stderr. */
  readonly log: (line: string) => void;
}

export interface Scenario {
  /** Unique within the suite. */
  readonly name: string;
  run(context: Context): Promise<Row[]>;
}

export interface Suite {
  readonly name: string;
  readonly scenarios: readonly Scenario[];
  /** Values of --workers it can run with. */
  readonly workersMax: number;
}
