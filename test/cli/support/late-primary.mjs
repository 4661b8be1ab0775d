/**
 * Loaded into `serve --workers` before it starts: from when its first worker closes its ports on it hears nothing of that one until it has dealt it one
 * more connection. So it is where this process got no processor for a while. Says `late` when that begins.
 */

import cluster from 'node:cluster';

/** What the two processes say to each other, as far as it matters here. @typedef {{ readonly act?: string }} Message */

if (cluster.isPrimary) cluster.once('fork', ({ process: worker }) => delay(worker));

function delay(/** @type {import('node:child_process').ChildProcess} */ worker) {
  /** @type {(...words: readonly unknown[]) => boolean} */
  const emit = worker.emit.bind(worker);
  /** @type {(...words: readonly unknown[]) => boolean} */
  const send = worker.send.bind(worker);
  /** @type {(readonly unknown[])[]} */
  const unheard = [];
  let hears = true;
  let wasLate = false;
  worker.emit = (/** @type {readonly unknown[]} */ ...words) => {
    if (!wasLate && words[0] === 'internalMessage' && isAbout('close', words[1])) {
      hears = false;
      wasLate = true;
      process.stderr.write('late\n');
    }
    return hears ? emit(...words) : unheard.push(words) > 0;
  };
  worker.send = (/** @type {readonly unknown[]} */ ...words) => {
    const wasSent = send(...words);
    if (!hears && isAbout('newconn', words[0])) {
      hears = true;
      for (const earlier of unheard) emit(...earlier);
    }
    return wasSent;
  };
}

function isAbout(/** @type {string} */ act, /** @type {unknown} */ message) {
  return /** @type {Message} */ (message).act === act;
}
