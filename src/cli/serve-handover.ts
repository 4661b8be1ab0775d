/**
 * Connections on their way from this process to a worker. node:cluster deals them in turn, for each port one at a time to each worker, and forgets one
 * whose worker dies before it has answered for it: its client would wait for ever. Here it is closed, as by the end of a worker that had it.
 */

import type { Worker } from 'node:cluster';

/** A connection as node:cluster holds it. */
interface Handle {
  close(): void;
}

/** From now on what this worker is given, and neither takes nor sends back, ends with it. */
export function watchHandover({ process }: Worker): void {
  /** By the number of the message that each went with. */
  const underWay = new Map<number | undefined, Handle>();
  const send = process.send.bind(process) as (...words: readonly unknown[]) => boolean;
  process.send = (...words: readonly unknown[]): boolean => {
    const [message, handle] = words;
    if (isHandle(handle)) underWay.set((message as { readonly seq?: number }).seq, handle);
    return send(...words);
  };
  process.on('internalMessage', ({ ack }: { readonly ack?: number }) => underWay.delete(ack));
  const end = (): void => {
    for (const handle of underWay.values()) handle.close();
    underWay.clear();
  };
  // Between the two it may be given one more, whichever comes first.
  process.once('disconnect', end);
  process.once('exit', end);
}

function isHandle(value: unknown): value is Handle {
  return typeof value === 'object' && value !== null && 'close' in value;
}
