/** A native process per peer, told what to do over stdin: it starts once and plays its rounds between those of the others. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Reserved } from './heaps/heap.ts';
import type { Latencies } from './house.ts';
import type { Sample } from '../harness/row.ts';
import type { MemoryRun, Play, Player, Round } from './player.ts';

/** Beside this file, or beside its source when this is compiled. */
const sourceFolder = ['native/', '../../../bench/alloc/native/']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((path) => existsSync(path)) as string;
export const programName = 'cenote-bench-peer';

/** Where Linux distributions put shared libraries. */
const libraryFolders = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
  '/usr/local/lib',
];

export interface NativePeer {
  readonly name: string;
  /** Start of the library's file name; none for what the C library brings. */
  readonly library?: string;
  readonly debian?: string;
  readonly takesNothing?: boolean;
}

export const nativePeers: readonly NativePeer[] = [
  { name: 'glibc' },
  { name: 'mimalloc', library: 'libmimalloc.so', debian: 'libmimalloc-dev' },
  { name: 'jemalloc', library: 'libjemalloc.so', debian: 'libjemalloc-dev' },
  { name: 'tcmalloc', library: 'libtcmalloc_minimal.so', debian: 'libtcmalloc-minimal4' },
  { name: 'native void', takesNothing: true },
];

/** Compiles the native program into `folder`; says so where there is no compiler. */
export function buildNative(folder: string, log: (line: string) => void): void {
  const sources = readdirSync(sourceFolder).filter((name) => name.endsWith('.c'));
  const words = ['-O2', '-Wall', '-pthread', '-o', join(folder, programName)];
  const { error, status, stderr } = spawnSync(
    process.env['CC'] ?? 'cc',
    [...words, ...sources.map((name) => join(sourceFolder, name))],
    { encoding: 'utf8' },
  );
  if (error !== undefined) {
    log(`  no C compiler (${error.message}): native peers are skipped`);
    return;
  }
  if (status !== 0) throw new Error(`cc failed:\n${stderr}`);
}

/** The newest library whose name starts so; undefined where there is none. */
export function findLibrary(
  start: string,
  folders: readonly string[] = libraryFolders,
): string | undefined {
  for (const folder of folders) {
    if (!existsSync(folder)) continue;
    const names = readdirSync(folder).filter(
      (name) => name === start || name.startsWith(`${start}.`),
    );
    const [name] = names.sort();
    if (name !== undefined) return join(folder, name);
  }
  return undefined;
}

/** Starts the program with the library at `library` in place of the C library's allocator; '' is none. */
export function openNativePlayer(
  program: string,
  peer: NativePeer,
  library: string,
  play: Play,
): Player {
  const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'] };
  if (library !== '') env['LD_PRELOAD'] = library;
  return new NativePlayer(peer.name, program, nativeWords(play, peer.takesNothing === true), env);
}

/** The command line of native/main.c. */
export function nativeWords(play: Play, takesNothing: boolean): string[] {
  const mode = takesNothing ? 'none' : play.aligned ? 'aligned' : 'plain';
  const ranges = play.ranges.map((it) => `${it.lowBytes}-${it.highBytes}:${it.weight}`).join(',');
  return [
    play.program,
    `workers=${play.workers}`,
    `mode=${mode}`,
    `slots=${play.slots}`,
    `target=${play.targetBytes}`,
    `burst=${play.burst}`,
    `a=${play.a}`,
    `b=${play.b}`,
    `c=${play.c}`,
    ...(ranges === '' ? [] : [`ranges=${ranges}`]),
    ...(play.file === undefined ? [] : [`file=${play.file}`]),
  ];
}

interface NativeRound {
  readonly ns: number;
  readonly operations: number;
  readonly failures: number;
  readonly states: readonly number[];
}

type NativeSample = readonly [number, number, number, number];

class NativePlayer implements Player {
  readonly name: string;
  readonly #child: ChildProcess;
  #waiting: { resolve(line: string): void; reject(error: Error): void } | undefined;

  constructor(name: string, program: string, words: readonly string[], env: NodeJS.ProcessEnv) {
    this.name = name;
    this.#child = spawn(program, words, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('the native peer has no output');
    createInterface({ input: stdout }).on('line', (line) => this.#waiting?.resolve(line));
    this.#child.on('exit', (code, signal) => {
      this.#waiting?.reject(new Error(`${name} ended with ${signal ?? `exit code ${code}`}`));
    });
    this.#child.on('error', (error) => this.#waiting?.reject(error));
  }

  async round(amount: number): Promise<Round> {
    const answer = (await this.#ask(`round ${amount}`)) as NativeRound;
    const { ns, operations, failures, states } = answer;
    return { elapsedNs: ns, operations, failures, states };
  }

  async latency(batches: number): Promise<Latencies> {
    return (await this.#ask(`latency ${batches}`)) as Latencies;
  }

  async memory(operations: number, every: number): Promise<MemoryRun> {
    const { samples } = (await this.#ask(`memory ${operations} ${every}`)) as {
      readonly samples: readonly NativeSample[];
    };
    return { samples: samples.map(toSample), how: 'resident, above the start', failures: 0 };
  }

  async reserved(): Promise<Reserved> {
    const { bytes } = (await this.#ask('reserved 0')) as { readonly bytes: number };
    return { bytes, how: 'resident' };
  }

  async close(): Promise<void> {
    this.#waiting = undefined;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end();
    if (this.#child.exitCode === null) await ended;
  }

  async #ask(command: string): Promise<unknown> {
    const line = await new Promise<string>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#child.stdin?.write(`${command}\n`);
    });
    return JSON.parse(line) as unknown;
  }
}

function toSample([operations, requestedBytes, usableBytes, reservedBytes]: NativeSample): Sample {
  return { operations, requestedBytes, usableBytes, reservedBytes };
}
