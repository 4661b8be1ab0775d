/** `cenote inspect PATH`: live statistics and a memory map in the terminal. */

import { setTimeout } from 'node:timers/promises';
import { kinds } from '../alloc/kind.ts';
import { exitOk, type Arguments, type Command } from './command.ts';
import { render, type InspectView } from './inspect/render.ts';
import { Screen } from './inspect/screen.ts';
import { Watcher } from './inspect/watcher.ts';
import { printJson, printLine, type Io } from './io.ts';
import { listenForStop } from './stop.ts';
import { findOnePool } from './target.ts';

/** Cells of the memory map in JSON. */
const jsonCells = 512;

export const inspectCommand: Command = {
  name: 'inspect',
  summary: 'Show live statistics and a memory map of a pool',
  about: [
    'Opens the pool for reading, also while a server has it open, and changes nothing. In a terminal the view is live: ' +
      'space holds it, q ends it. Elsewhere, or with --once, it is printed once.',
    'Live is what allocations use, held is what slabs, runs and extents take for them; the difference is internal ' +
      'fragmentation.',
  ],
  positionals: [
    { name: 'PATH', help: "the folder of a pool, or a server's data folder that holds one pool" },
  ],
  options: {
    watch: { help: 'Keep refreshing even if stdout is not a terminal.' },
    once: { help: 'Print once and end.' },
    interval: { value: 'SECONDS', help: 'Time between two refreshes, 1 to 3600.', fallback: '1' },
  },
  examples: [
    { line: 'cenote inspect ./data', what: 'the pool of a server, live' },
    { line: 'cenote inspect ./data --once', what: 'a picture for a report' },
    {
      line: 'cenote inspect ./data --json --watch',
      what: 'statistics for a script, one JSON object per line',
    },
  ],
  exitCodes: [
    { code: 0, meaning: 'shown' },
    { code: 1, meaning: 'the pool could not be read' },
    { code: 2, meaning: 'the command line is wrong' },
  ],
  async run(args: Arguments, io: Io): Promise<number> {
    const { path } = findOnePool(args.positional(0));
    const seconds = args.integer('interval', 1, 3600);
    const inTerminal = io.stdout.isTTY === true && !args.flag('json');
    const watch = !args.flag('once') && (args.flag('watch') || inTerminal);
    if (!watch) return inspectOnce(path, args.flag('json'), io);
    return inTerminal
      ? inspectLive(path, seconds, io)
      : inspectLines(path, seconds, args.flag('json'), io);
  },
};

async function inspectOnce(path: string, json: boolean, io: Io): Promise<number> {
  const watcher = new Watcher(path, io.clock);
  try {
    const view = await watcher.read();
    if (json) printJson(io.stdout, jsonOf(view));
    else printView(view, io);
  } finally {
    await watcher.close();
  }
  return exitOk;
}

/** Without a terminal: one picture, or one line of JSON, per interval, until a signal. */
async function inspectLines(path: string, seconds: number, json: boolean, io: Io): Promise<number> {
  using stop = listenForStop(() => {});
  const watcher = new Watcher(path, io.clock);
  try {
    while (!stop.signal.aborted) {
      const view = await watcher.read();
      if (json) io.stdout.write(`${JSON.stringify(jsonOf(view))}\n`);
      else printView(view, io);
      await waitOrStop(seconds * 1000, stop.signal);
    }
  } finally {
    await watcher.close();
  }
  return exitOk;
}

async function inspectLive(path: string, seconds: number, io: Io): Promise<number> {
  using stop = listenForStop(() => {});
  const watcher = new Watcher(path, io.clock);
  let held = false;
  const draw = (): void => {
    const status = held
      ? 'held · space goes on · q quits'
      : `every ${seconds} s · space holds · q quits`;
    screen.draw(render({ ...view, status }, screen.width, screen.height, io.out));
  };
  const onKey = (key: string): void => {
    if (key !== ' ') return;
    held = !held;
    draw();
  };
  const screen = new Screen(io, { onQuit: stop.request, onKey, onResize: draw });
  // The first reading comes before the screen: its error then stands in the terminal as the user left it.
  let view = await watcher.read();
  screen.open();
  try {
    while (!stop.signal.aborted) {
      draw();
      await waitOrStop(seconds * 1000, stop.signal);
      if (!held && !stop.signal.aborted) view = await watcher.read();
    }
  } finally {
    screen.close();
    await watcher.close();
  }
  return exitOk;
}

function printView(view: InspectView, io: Io): void {
  for (const line of render(view, io.stdout.columns ?? 100, undefined, io.out))
    printLine(io.stdout, line);
}

function jsonOf(view: InspectView): object {
  const { path, stats, rates } = view;
  return {
    path,
    ...stats,
    operationsPerSecond: rates,
    memoryMap: { kinds, cells: view.map(jsonCells) },
  };
}

/** Resolves after the time, or at once when the signal aborts. */
async function waitOrStop(durationMs: number, signal: AbortSignal): Promise<void> {
  await setTimeout(durationMs, undefined, { signal }).catch(() => {});
}
