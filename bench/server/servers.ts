/** The servers that are compared, each in a process of its own. */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Peer {
  readonly name: string;
  readonly port: number;
  stop(): Promise<void>;
}

const capacityBytes: number = 1.5 * 2 ** 30;
const connectTries = 200;
const connectPauseMs = 20;

/** Our server over a mapped pool, as `cenote serve` has it. */
export async function startOurs(folder: string, workers: number): Promise<Peer> {
  return workers > 1 ? startWorkers(folder, workers) : startAlone(folder);
}

/** `cenote serve --workers`, from the root of the clone. */
async function startWorkers(folder: string, workers: number): Promise<Peer> {
  const program = fileURLToPath(new URL('../../../bin/cenote.js', import.meta.url));
  const options = `--no-auth --http 0 --resp 0 --workers ${workers} --capacity ${capacityBytes}`;
  const words = [program, 'serve', ...options.split(' '), '--data', join(folder, 'data'), '--json'];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { respUrl } = JSON.parse(line) as { readonly respUrl: string };
  return {
    name: `cenote, ${workers} workers`,
    port: Number(new URL(respUrl).port),
    stop: () => ended(child, () => child.kill('SIGTERM')),
  };
}

async function startAlone(folder: string): Promise<Peer> {
  const entry = fileURLToPath(new URL('./server-child.js', import.meta.url));
  const words = [entry, join(folder, 'served'), String(capacityBytes)];
  const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { name: 'cenote', port: Number(line), stop: () => ended(child, () => child.stdin.end()) };
}

/** The system's redis-server without persistence; undefined where there is none. */
export async function startRedis(): Promise<Peer | undefined> {
  const version = redisVersion();
  if (version === undefined) return undefined;
  const port = await freePort();
  const words = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const child = spawn('redis-server', words, { stdio: 'ignore' });
  await reachable(port);
  return { name: `redis ${version}`, port, stop: () => ended(child, () => child.kill('SIGTERM')) };
}

function redisVersion(): string | undefined {
  const { status, stdout } = spawnSync('redis-server', ['--version'], { encoding: 'latin1' });
  return status === 0 ? /v=([\d.]+)/.exec(stdout)?.[1] : undefined;
}

async function ended(child: ChildProcess, end: () => void): Promise<void> {
  const exited = once(child, 'exit');
  end();
  await exited;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function reachable(port: number): Promise<void> {
  for (let tries = 0; tries < connectTries; tries++) {
    const socket = connect({ host: '127.0.0.1', port });
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, connectPauseMs));
  }
  throw new Error(`redis-server does not answer on port ${port}`);
}
