/** One of several processes that serve the same pools: what it does, and what it asks of the process that has started it. */

import cluster from 'node:cluster';
import { CenoteError } from '../errors.ts';
import { SharedUsage } from '../guard/shared-usage.ts';
import { sumOf, type ServerNumbers } from '../server/numbers.ts';
import { exitFailed, exitOk } from './command.ts';
import type { Io } from './io.ts';
import type { ServeConfig } from './serve-config.ts';
import { openServedGuard } from './serve-guard.ts';
import { gatherMs, workerVariable, type FromWorker, type ToWorker } from './serve-messages.ts';
import { startServing } from './serve-process.ts';

export function isWorker(): boolean {
  return cluster.isWorker && process.env[workerVariable] !== undefined;
}

/** Serves until it is told to stop, or whoever has started it is gone. @returns the exit code */
export async function work(config: ServeConfig, io: Io): Promise<number> {
  // A terminal sends its signals to all; when to stop is for one to say.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => {});
  // A message to one that has just died, ours or one of node:cluster: that it is gone is told by 'disconnect'.
  cluster.worker?.on('error', () => {});
  const parent = new Parent();
  const shared = SharedUsage.open(config.layout.controlFile, Number(io.env[workerVariable]));
  try {
    const guard = await openServedGuard(config, io, shared);
    try {
      const serving = await startServing(guard, config, io, () => parent.gather());
      const { url, respUrl, model } = serving;
      parent.numbers = () => serving.numbers();
      parent.send({ type: 'listening', at: { url, respUrl, model } });
      await parent.stop;
      const { cutConnections } = await serving.stop();
      parent.send({ type: 'stopped', cutConnections, numbers: serving.numbers() });
    } finally {
      await guard.close();
    }
    return exitOk;
  } catch (error) {
    const { message } = error instanceof Error ? error : new Error(String(error));
    const code = error instanceof CenoteError ? error.code : undefined;
    parent.send({ type: 'failed', code, message });
    return exitFailed;
  } finally {
    shared.close();
    await part();
  }
}

/**
 * Parts from the process that has started this one, once that has heard that nothing listens here: a connection that it has dealt before is sent back until
 * then, and goes to another worker.
 */
async function part(): Promise<void> {
  if (!process.connected) return;
  // An error is none here: should that process have died meanwhile, the end of its channel tells it, too.
  const gone = new Promise((resolve) => process.once('disconnect', resolve));
  cluster.worker?.disconnect();
  await gone;
}

/** The process that has started this one. */
class Parent {
  /** Resolves when it says so, or is gone. */
  readonly stop: Promise<void>;
  numbers: (() => ServerNumbers) | undefined;
  #asked = 0;
  readonly #waiting = new Map<number, (all: readonly ServerNumbers[] | undefined) => void>();

  constructor() {
    this.stop = new Promise((resolve) => {
      process.once('disconnect', () => {
        for (const answer of this.#waiting.values()) answer(undefined);
        resolve();
      });
      process.on('message', (message: ToWorker) => {
        if (message.type === 'stop') resolve();
        else this.#take(message);
      });
    });
  }

  send(message: FromWorker): void {
    if (process.connected) process.send?.(message);
  }

  /** The numbers of all workers together. @throws overloaded */
  async gather(): Promise<ServerNumbers> {
    const id = ++this.#asked;
    const all = await new Promise<readonly ServerNumbers[] | undefined>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), 2 * gatherMs);
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.send({ type: 'gather', id });
    });
    this.#waiting.delete(id);
    if (all === undefined)
      throw new CenoteError('overloaded', 'A worker did not tell its numbers in time.');
    return sumOf(all);
  }

  #take(message: Exclude<ToWorker, { type: 'stop' }>): void {
    if (message.type === 'gathered') this.#waiting.get(message.id)?.(message.all);
    else if (this.numbers !== undefined)
      this.send({ type: 'numbers', id: message.id, numbers: this.numbers() });
  }
}
