/**
 * A tenant that asks for ten times its quota, and what another notices: latencies of single GETs of the other, alone and beside it, in turns. The server,
 * the noisy client and the quiet one are processes of their own.
 */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Histogram } from '../../src/base/histogram.ts';
import { toRow, type Bar, type Row } from '../harness/row.ts';
import type { Context, Scenario } from '../harness/suite.ts';

const quotaPerS = 200;
const timesQuota = 10;
/** What a tenant may notice of another at ten times its quota. */
const p99Factor = 4;
const valueBytes = 4096;
const everyMs = 2;
const rounds = 6;
const roundMs = 4000;
const command = fileURLToPath(new URL('../../../bin/cenote.js', import.meta.url));

/** Sends so many GETs a second, whatever becomes of them. */
const noisy = `
const { connect } = require('node:net');
const [port, key, perSecond] = process.argv.slice(1);
const socket = connect(Number(port), '127.0.0.1', () => {
  socket.write('AUTH ' + key + '\\r\\n');
  setInterval(() => socket.write('*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\nx\\r\\n'.repeat(perSecond / 100)), 10);
});
socket.on('data', () => {});
`;

export const neighbourScenario: Scenario = { name: 'neighbour', run };

async function run(context: Context): Promise<Row[]> {
  const data = join(context.folder, 'neighbours');
  const words = ['serve', '--http', '0', '--resp', '0', '--data', data, '--capacity', '256MiB'];
  const server = spawn(process.execPath, [command, ...words, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
    const { respUrl } = JSON.parse(line) as { readonly respUrl: string };
    const port = new URL(respUrl).port;
    const quietKey = keyOfNewTenant(data, 'quiet', []);
    const noisyKey = keyOfNewTenant(data, 'noisy', ['--ops', String(quotaPerS)]);
    await pause(2000); // a server takes changes within a second
    return await measure(Number(port), quietKey, noisyKey, context);
  } finally {
    await ended(server);
  }
}

function keyOfNewTenant(data: string, name: string, quotas: readonly string[]): string {
  cenote(['tenants', 'set', name, '--data', data, '--capacity', '32MiB', ...quotas]);
  const made = cenote(['keys', 'create', '--tenant', name, '--data', data, '--json']);
  return (JSON.parse(made) as { readonly key: string }).key;
}

function cenote(words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...words], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`cenote ${words.join(' ')}: ${stderr}`);
  return stdout;
}

async function measure(
  port: number,
  quietKey: string,
  noisyKey: string,
  context: Context,
): Promise<Row[]> {
  const quiet = new Quiet(port, quietKey);
  await quiet.open();
  const alone = new Histogram();
  const beside = new Histogram();
  const lengthMs = context.quick ? roundMs / 10 : roundMs;
  for (let round = 0; round < (context.quick ? 2 : rounds); round++) {
    await quiet.play(lengthMs, round === 0 ? new Histogram() : alone);
    const words = ['-e', noisy, String(port), noisyKey, String(timesQuota * quotaPerS)];
    const child = spawn(process.execPath, words, { stdio: 'ignore' });
    await pause(lengthMs / 4);
    await quiet.play(lengthMs, round === 0 ? new Histogram() : beside);
    await ended(child);
  }
  quiet.close();
  const ratio = beside.quantile(0.99) / alone.quantile(0.99);
  const note = `GETs of 4 KiB, one every ${everyMs} ms`;
  const bars: Bar[] = [
    { what: '× p99 alone', value: ratio, limit: p99Factor, direction: 'atMost' },
  ];
  return [
    rowOf('alone', alone, '', []),
    rowOf(`beside ${timesQuota} × a quota of ${quotaPerS}/s`, beside, note, bars),
  ];
}

function rowOf(name: string, histogram: Histogram, note: string, bars: Bar[]): Row {
  const subject = { name, batch: 1, roundsNs: [histogram.quantile(0.5)], histogram, settled: true };
  return toRow('server', 'neighbour', subject, { bars, note });
}

async function ended(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

/** One command after the other, at even distances. */
class Quiet {
  readonly #socket: Socket;
  readonly #key: string;
  #received = 0;
  #wanted = 0;
  #done: () => void = () => {};

  constructor(port: number, key: string) {
    this.#key = key;
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.length;
      if (this.#received >= this.#wanted) this.#done();
    });
  }

  async open(): Promise<void> {
    await once(this.#socket, 'connect');
    await this.#ask(`AUTH ${this.#key}\r\n`, '+OK\r\n'.length);
    const value = 'x'.repeat(valueBytes);
    await this.#ask(
      `*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$${valueBytes}\r\n${value}\r\n`,
      '+OK\r\n'.length,
    );
  }

  async play(forMs: number, latencies: Histogram): Promise<void> {
    const endMs = performance.now() + forMs;
    const replyBytes = `$${valueBytes}\r\n`.length + valueBytes + 2;
    while (performance.now() < endMs) {
      const startMs = performance.now();
      await this.#ask('*2\r\n$3\r\nGET\r\n$1\r\nx\r\n', replyBytes);
      latencies.record((performance.now() - startMs) * 1e6);
      await pause(everyMs);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  async #ask(words: string, replyBytes: number): Promise<void> {
    this.#received = 0;
    this.#wanted = replyBytes;
    const answered = new Promise<void>((resolve) => {
      this.#done = resolve;
    });
    this.#socket.write(words);
    await answered;
  }
}
