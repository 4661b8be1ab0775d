/** What snapshot and restore share: progress, interruption, and the closing line. */

import { fail, hasCode } from '../errors.ts';
import type { SnapshotOptions } from '../pool/api.ts';
import { exitInterrupted, exitOk, type Command } from './command.ts';
import { formatBytes, formatDuration } from './format.ts';
import { printJson, printLine, type Io } from './io.ts';
import { Progress } from './progress.ts';
import { listenForStop } from './stop.ts';

export const copyExitCodes: Command['exitCodes'] = [
  { code: 0, meaning: 'the copy is complete' },
  { code: 1, meaning: 'failed; nothing is left at the destination' },
  { code: 2, meaning: 'the command line is wrong' },
  { code: exitInterrupted, meaning: 'interrupted; nothing is left at the destination' },
];

export interface CopyJob {
  readonly label: string;
  readonly source: string;
  readonly destination: string;
  readonly json: boolean;
}

/** Runs a copy under a progress bar that Ctrl-C ends. Errors are the copy's own. */
export async function copyWithProgress(
  job: CopyJob,
  io: Io,
  copy: (options: SnapshotOptions) => Promise<unknown>,
): Promise<number> {
  const startMs = io.clock.nowMs();
  const progress = new Progress({
    label: job.label,
    output: io.stderr,
    paint: io.err,
    clock: io.clock,
  });
  using stop = listenForStop(() => progress.note('stopping …'));
  let copiedBytes = 0;
  try {
    const onProgress = (doneBytes: number, totalBytes: number): void => {
      copiedBytes = doneBytes;
      progress.update(doneBytes, totalBytes);
    };
    await copy({ signal: stop.signal, onProgress });
  } catch (error) {
    progress.clear();
    if (!hasCode(error, 'aborted')) throw error;
    fail('aborted', `interrupted: nothing is left at ${job.destination}`);
  }
  progress.finish();
  const tookMs = io.clock.nowMs() - startMs;
  if (job.json) {
    printJson(io.stdout, {
      source: job.source,
      destination: job.destination,
      bytes: copiedBytes,
      tookMs,
    });
  } else {
    const amount = `${formatBytes(copiedBytes)} in ${formatDuration(tookMs)}`;
    printLine(io.stdout, `${job.label}: ${job.source} → ${job.destination}, ${amount}`);
  }
  return exitOk;
}
