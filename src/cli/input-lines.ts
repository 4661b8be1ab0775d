/** Lines of standard input, as they come. */

import type { Keys } from './io.ts';

/** A longer line is cut there: nobody types it. */
const lineMax: number = 2 ** 20;

/** Ends with the input, or when the signal aborts; what stands behind the last newline is a line too. */
export async function* inputLines(input: Keys, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const lines: string[] = [];
  let rest = '';
  let isOver = signal.aborted;
  let wake: () => void = () => undefined;
  const take = (text: string): void => {
    const pieces = (rest + text).split('\n');
    rest = (pieces.pop() ?? '').slice(0, lineMax);
    lines.push(...pieces.map((line) => line.replace(/\r$/, '')));
    wake();
  };
  const onData = (chunk: Buffer): void => take(decoder.decode(chunk, { stream: true }));
  const onEnd = (): void => {
    if (rest !== '') take('\n');
    onAbort();
  };
  const onAbort = (): void => {
    isOver = true;
    wake();
  };
  input.on('data', onData);
  input.on('end', onEnd);
  signal.addEventListener('abort', onAbort);
  input.resume();
  try {
    for (;;) {
      const line = signal.aborted ? undefined : lines.shift();
      if (line !== undefined) yield line;
      else if (isOver) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    input.off('data', onData);
    input.off('end', onEnd);
    signal.removeEventListener('abort', onAbort);
    input.pause();
  }
}
