/**
 * Says where a Node process is that answers nobody: `node --experimental-websocket scripts/where.mjs PID`. Its inspector is opened by SIGUSR1, also
 * while it loops, and asked to pause.
 */

import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const pid = Number(process.argv[2]);
/** Where Node's inspector listens that was opened by a signal. */
const inspector = 'http://127.0.0.1:9229/json/list';
const looksMax = 50;
const lookMs = 100;
/** How long a process that runs JavaScript takes to pause, generously. */
const pauseMs = 5000;
const framesMax = 30;

/** The first page that the inspector shows, once it listens. */
async function opened() {
  for (let look = 0; look < looksMax; look++) {
    try {
      const pages = /** @type {{ webSocketDebuggerUrl: string }[]} */ (
        await (await fetch(inspector)).json()
      );
      if (pages[0] !== undefined) return pages[0].webSocketDebuggerUrl;
    } catch {
      // Not yet.
    }
    await pause(lookMs);
  }
  throw new Error('its inspector does not open');
}

/** @typedef {{ method: string, params: { scriptId: string, url: string, callFrames: Frame[] } }} Said */
/** @typedef {{ functionName: string, url: string, location: { scriptId: string, lineNumber: number } }} Frame */

/** @param {string} url @returns {Promise<string[]>} */
function stackAt(url) {
  const socket = new WebSocket(url);
  /** @type {Map<string, string>} */
  const scripts = new Map();
  const send = (/** @type {string} */ method) => socket.send(JSON.stringify({ id: 1, method }));
  return new Promise((resolve) => {
    socket.addEventListener('open', () => {
      send('Debugger.enable');
      send('Debugger.pause');
    });
    socket.addEventListener('message', ({ data }) => {
      const { method, params } = /** @type {Said} */ (JSON.parse(String(data)));
      if (method === 'Debugger.scriptParsed') scripts.set(params.scriptId, params.url);
      if (method !== 'Debugger.paused') return;
      const frames = params.callFrames.slice(0, framesMax);
      resolve(
        frames.map(({ functionName, url: file, location }) => {
          const script = file || scripts.get(location.scriptId);
          return `${functionName || '(anonymous)'} ${script}:${location.lineNumber + 1}`;
        }),
      );
    });
    setTimeout(() => resolve(['it does not pause: blocked outside of JavaScript']), pauseMs);
  });
}

process.kill(pid, 'SIGUSR1');
for (const frame of await stackAt(await opened())) console.log(`  ${frame}`);
const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
for (const child of children === '' ? [] : children.split(' '))
  console.log(`  child: ${readFileSync(`/proc/${child}/cmdline`, 'utf8').split('\0').join(' ')}`);
process.exit(0);
