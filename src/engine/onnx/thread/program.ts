/** What a thread runs. */

import type { TensorInfo } from '../api.ts';
import type { Row, RowResult } from './protocol.ts';

export interface Program {
  /** What requests bring, and get. */
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** One after the other. @returns a result for each row, in memory of its own */
  run(rows: readonly Row[]): Promise<readonly RowResult[]>;
  close(): Promise<void>;
}
