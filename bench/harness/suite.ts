/** A suite is a list of scenarios; each runs in a process of its own, so that neither machine code nor memory of one meets the next. */

import type { Row } from './row.ts';

export interface Context {
  readonly quick: boolean;
  /** Fresh and empty, in memory where the machine has /dev/shm; removed afterwards. */
  readonly folder: string;
  readonly workers: number;
  /** Compares variants of ours in place of peers. */
  readonly ablation: boolean;
  /** Length of a long run, where the scenario has one. */
  readonly operations: number | undefined;
  /** Where to write what is allocated and freed, where the scenario can. */
  readonly record: string | undefined;
  /** A recording to play. */
  readonly replay: string | undefined;
  /** A checkout of a block manager in Python, for scenarios that compare with it. */
  readonly python: string | undefined;
  /** What the machine costs, in any currency. */
  readonly pricePerHour: number;
  /** What the suite prepared for all its scenarios; undefined where it prepares nothing. */
  readonly shared: string | undefined;
  /** Progress, to stderr. */
  readonly log: (line: string) => void;
}

export interface Scenario {
  /** Unique within the suite. */
  readonly name: string;
  /** True when it can record what it does. */
  readonly records?: boolean;
  run(context: Context): Promise<Row[]>;
}

export interface Suite {
  readonly name: string;
  readonly scenarios: readonly Scenario[];
  /** Values of --workers it can run with. */
  readonly workersMax: number;
  /** In place of the table of times. */
  table?(rows: readonly Row[], pricePerHour: number): string;
  /** What --out gets beside the tables, by name. Default: charts of times and quantiles. */
  files?(rows: readonly Row[]): [name: string, text: string][];
  /** Runs once, before the scenarios: puts what they share into `folder`. */
  prepare?(folder: string, log: (line: string) => void): Promise<void>;
}
