/**
 * One connection: bytes come in, commands run, replies go out.
 *
 * Chunks are read into a buffer that all connections share, and parsed in place; what a large value still lacks is read by the system straight
 * into the memory of the pool. So an idle connection holds no buffer at all.
 */

import { Socket } from 'node:net';

import { type CenoteError, fail } from '../../errors.ts';
import type { Caller } from '../../guard/api.ts';
import { bringToMemory } from './cold.ts';
import type { Place } from './command.ts';
import { asError } from './draft-sink.ts';
import { Output } from './output.ts';
import { Parser } from './parser.ts';
import { Runner } from './runner.ts';
import type { RespService, Session } from './session.ts';
import type { CloseReason } from './traffic.ts';

/** What lies below a socket: of it only the length of the queue is looked at, which tells whether a reader takes anything. */
export interface StreamHandle {
  readonly writeQueueSize: number;
}

/** Where connections are while something of theirs has to end in time. */
export interface Waiting {
  readonly authenticating: Set<Connection>;
  /** A command has begun. */
  readonly within: Set<Connection>;
  /** Replies wait for their reader. */
  readonly sending: Set<Connection>;
  readonly ending: Set<Connection>;
}

export class Connection implements Session {
  readonly service: RespService;
  readonly id: number;
  readonly out: Output;
  readonly socket: Socket;
  caller: Caller | undefined;
  name = '';
  isEnding = false;
  lastReadMs: number;
  /** When the last reply was sent; 0: not yet. */
  endedAtMs = 0;
  readonly #handle: StreamHandle;
  readonly #waiting: Waiting;
  readonly #runner: Runner;
  readonly #parser: Parser;
  /** Bytes that came while no command could run. */
  #kept: Buffer | undefined;
  #isOpening = false;
  /** How often what the next command asks for was brought to memory. */
  #loads = 0;
  #hasEnded = false;
  /** The next read goes straight into a pool. */
  #isDirect = false;
  #countedBytes = 0;
  #countedCopiedBytes = 0;
  #countedHeldBytes = 0;
  #queueBytes = 0;
  #progressAtMs: number | undefined;

  constructor(service: RespService, handle: StreamHandle, waiting: Waiting) {
    this.service = service;
    this.#handle = handle;
    this.#waiting = waiting;
    this.id = ++service.traffic.accepted;
    this.lastReadMs = service.clock.nowMs();
    this.caller = service.guard.anonymous;
    this.#runner = new Runner(this);
    this.#parser = new Parser(service.limits, this.#runner.sinkFor);
    const onread = { buffer: this.#nextBuffer, callback: this.#onRead };
    // `handle` is how node:net makes the sockets of its own server; only those made so can say where to read to.
    const options = { handle, onread, allowHalfOpen: true };
    this.socket = new Socket(options);
    this.out = new Output(this.socket, service.gathering, this.#onTaken);
    this.socket.setNoDelay(true);
    this.socket.on('error', ignore);
    this.socket.once('end', this.#onEnd);
    this.socket.once('close', this.#onClose);
    service.traffic.connections++;
    this.#settle();
  }

  /** Since when nobody has authenticated; undefined: somebody has. */
  get unknownSinceMs(): number | undefined {
    return this.#runner.unknownSinceMs;
  }

  /** True when nothing is under way. */
  get #isIdle(): boolean {
    if (this.#parser.isWithin || this.#kept !== undefined) return false;
    return this.out.waitingBytes === 0;
  }

  /** Since when its reader has taken nothing of what waits for it, as far as the looks at it tell. */
  stalledSinceMs(nowMs: number): number {
    const { writeQueueSize } = this.#handle;
    if (writeQueueSize !== this.#queueBytes || this.#progressAtMs === undefined) {
      this.#queueBytes = writeQueueSize;
      this.#progressAtMs = nowMs;
    }
    return this.#progressAtMs;
  }

  /** Ends the connection with an error reply. */
  endWith(error: CenoteError, reason: CloseReason): void {
    if (this.endedAtMs > 0) return;
    // The system may be about to write into a value that ends now: nothing more must be read.
    if (this.#isDirect) {
      this.cut(reason);
      return;
    }
    this.#runner.end(error, reason);
    this.#settle();
  }

  /** Closes the connection at once. */
  cut(reason: CloseReason): void {
    this.service.traffic.closed(reason);
    this.socket.destroy();
  }

  /** The server is closing: the connection ends when nothing of it is under way. */
  finish(): void {
    this.#settle();
  }

  /** Where the system reads to next. */
  readonly #nextBuffer = (): Uint8Array => {
    const isReady = this.#kept === undefined && !this.isEnding;
    const limit = this.service.limits.directReadBytes;
    const room = isReady ? this.#parser.directRoom(limit) : undefined;
    this.#isDirect = room !== undefined;
    return room ?? this.service.reading;
  };

  /** @returns false to stop reading */
  readonly #onRead = (sizeBytes: number): boolean => {
    this.lastReadMs = this.service.clock.nowMs();
    if (this.#isDirect) {
      this.#parser.readDirectly(sizeBytes);
      return true;
    }
    if (this.isEnding) return true;
    this.#take(this.service.reading, sizeBytes);
    return this.#kept === undefined;
  };

  #take(chunk: Buffer, sizeBytes: number): void {
    try {
      this.#process(chunk, sizeBytes);
      this.#checkHeld();
    } catch (error) {
      // What follows cannot be understood any more.
      this.#runner.end(error, 'protocol');
    }
    if (this.out.park()) this.service.flushes.add(this.out);
    else this.out.flush();
    this.#settle();
  }

  /** Runs the commands of a chunk, until one of them has to wait, or others have waited long enough: the rest is kept then. */
  #process(chunk: Buffer, end: number): void {
    const { clock, limits } = this.service;
    const fromMs = clock.nowMs();
    let at = 0;
    let untimed = 0;
    let start = 0;
    while ((at < end || this.#parser.isComplete) && !this.isEnding) {
      const mustOpen = this.#mustOpen();
      if (mustOpen || this.#mustWait) {
        this.#kept = Buffer.from(chunk.subarray(at, end));
        if (mustOpen) this.#openPool();
        return;
      }
      if (!this.#parser.isComplete) {
        const from = at;
        if (!this.#parser.isWithin) start = at;
        at = this.#parser.read(chunk, at, end);
        this.#runner.countRead(at - from);
      }
      if (!this.#parser.isComplete) continue;
      const cold = this.#runner.coldParts(this.#parser.args);
      const [missing] = cold;
      if (missing !== undefined && ++this.#loads <= loadsMax) {
        this.#loadFirst(cold, chunk, start, at, end);
        return;
      }
      this.#loads = 0;
      if (missing !== undefined) this.#runner.goWithout(missing, this.#parser.args);
      const isQuick = this.#runner.execute(this.#parser.args);
      this.#parser.next();
      if (this.service.phase === 'closing') this.isEnding = true;
      untimed = isQuick ? untimed + 1 : untimedMax;
      if (untimed < untimedMax || at === end || this.isEnding) continue;
      untimed = 0;
      if (clock.nowMs() - fromMs >= limits.turnMs) {
        this.#kept = Buffer.from(chunk.subarray(at, end));
        setImmediate(this.#resume);
        return;
      }
    }
  }

  /** Its reader has to take replies first: when many wait, or any while too many wait on all connections together. */
  get #mustWait(): boolean {
    const { waitingBytes } = this.out;
    if (waitingBytes === 0) return false;
    const { limits, traffic } = this.service;
    return waitingBytes >= limits.outputPauseBytes || traffic.waitingBytes >= limits.maxOutputBytes;
  }

  #mustOpen(): boolean {
    const { caller } = this;
    if (caller === undefined || caller.pool !== undefined) return false;
    return this.#runner.openError === undefined && caller.isValid;
  }

  /** @throws overloaded when commands that are not complete hold too much, and this is a long one of them */
  #checkHeld(): void {
    const { limits, traffic } = this.service;
    const { heldBytes } = this.#parser;
    if (heldBytes <= limits.readBytes) return;
    if (traffic.heldBytes + heldBytes - this.#countedHeldBytes <= limits.maxHeldBytes) return;
    fail('overloaded', 'too many bytes of commands wait for the rest of them');
  }

  #openPool(): void {
    this.#isOpening = true;
    const goOn = (error?: unknown): void => {
      this.#isOpening = false;
      this.#runner.openError = error === undefined ? undefined : asError(error);
      this.#resume();
      this.#runner.openError = undefined;
    };
    this.caller?.open().then(() => goOn(), goOn);
  }

  /** Lets the command that is complete wait for parts that are on the disk. One that lies in the chunk is read again: the chunk will be another's. */
  #loadFirst(cold: readonly Place[], chunk: Buffer, start: number, at: number, end: number): void {
    const isInChunk = this.#parser.args.buffer === chunk;
    if (isInChunk) this.#parser.next();
    this.#kept = Buffer.from(chunk.subarray(isInChunk ? start : at, end));
    this.#isOpening = true;
    const goOn = (error?: unknown): void => {
      this.#isOpening = false;
      this.#runner.loadError = error === undefined ? undefined : asError(error);
      this.#resume();
    };
    const pool = this.caller?.pool;
    const loading = pool === undefined ? Promise.resolve() : bringToMemory(pool, cold);
    loading.then(() => goOn(), goOn);
  }

  /** Goes on with what was kept, and with reading. */
  readonly #resume = (): void => {
    const kept = this.#kept;
    if (kept === undefined || this.#isOpening || this.socket.destroyed) return;
    if (this.#mustWait) return;
    this.#kept = undefined;
    this.#take(kept, kept.length);
    if (this.#kept !== undefined) return;
    if (this.#hasEnded) this.#onEnd();
    else this.socket.resume();
  };

  /** The socket has taken what had to wait. */
  readonly #onTaken = (): void => {
    this.#progressAtMs = undefined;
    this.#settle();
    this.#resume();
  };

  /** Keeps the books after anything that has changed what the connection holds. */
  #settle(): void {
    const { phase, clock } = this.service;
    const { authenticating, within, sending, ending } = this.#waiting;
    const bytes = this.#count();
    this.#countHeld();
    put(sending, this, bytes > 0);
    put(within, this, this.#parser.isWithin);
    put(authenticating, this, this.unknownSinceMs !== undefined);
    if (phase === 'closing' && this.#isIdle) this.isEnding = true;
    if (!this.isEnding || this.endedAtMs > 0) return;
    this.endedAtMs = clock.nowMs();
    this.#kept = undefined;
    this.#parser.close();
    this.#countHeld();
    ending.add(this);
    this.out.flush();
    // What still comes is read and dropped: closing with bytes unread would take the last reply from the client.
    this.socket.end();
    this.socket.resume();
  }

  /** Counts what waits to be sent or parsed. @returns how much it is */
  #count(): number {
    const { traffic } = this.service;
    const isOver = this.socket.destroyed;
    const keptBytes = this.#kept?.length ?? 0;
    const bytes = isOver ? 0 : this.out.waitingBytes + keptBytes;
    const copiedBytes = isOver ? 0 : this.out.copiedBytes + keptBytes;
    traffic.waitingBytes += bytes - this.#countedBytes;
    traffic.copiedBytes += copiedBytes - this.#countedCopiedBytes;
    this.#countedBytes = bytes;
    this.#countedCopiedBytes = copiedBytes;
    return bytes;
  }

  #countHeld(): void {
    const { heldBytes } = this.#parser;
    this.service.traffic.heldBytes += heldBytes - this.#countedHeldBytes;
    this.#countedHeldBytes = heldBytes;
  }

  /** The client sends nothing more. What it has sent is answered first. */
  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    if (this.#kept !== undefined) return;
    this.isEnding = true;
    this.#settle();
  };

  readonly #onClose = (): void => {
    this.#kept = undefined;
    this.#runner.close();
    this.#parser.close();
    this.out.close();
    this.#settle();
    for (const set of Object.values(this.#waiting) as Set<Connection>[]) set.delete(this);
    this.service.traffic.connections--;
  };
}

/** How often what a command needs is brought to memory before it runs: others may let it go again meanwhile. */
const loadsMax = 2;

/** The clock is looked at after so many quick commands: after each it would cost a tenth of them. */
const untimedMax = 16;

function ignore(): void {}

function put(set: Set<Connection>, connection: Connection, isIn: boolean): void {
  if (isIn) set.add(connection);
  else if (set.size > 0) set.delete(connection);
}
