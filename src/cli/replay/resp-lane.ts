/** A lane over RESP: commands are sent ahead of their replies, and a block is never copied into or out of one buffer. */

import { connect, type Socket } from 'node:net';
import { CenoteError } from '../../errors.ts';
import { BlockCheck, type BlockBytes } from './block-bytes.ts';
import type { Answer, Lane, LaneOptions } from './lane.ts';
import { ReplyReader, type Reply } from './reply-reader.ts';

/** Commands under way, and bytes of blocks under way: the smaller of both counts. */
const maxWindow = 32;
const maxWindowBytes = 8 * 2 ** 20;

/** A name in the server's list of clients; it also tells the server that this is a client which understands error replies. */
const clientName = 'cenote-replay';

/** Error replies after which nothing else will go better. */
const fatalWords = {
  NOAUTH: 'unauthorized',
  WRONGPASS: 'unauthorized',
  NOPERM: 'forbidden',
} as const;

/** A reply as the lane's operations see it: of a block only whether it was the right one. */
type Heard =
  | Exclude<Reply, { type: 'bulk' }>
  | { readonly type: 'block'; readonly isRight: boolean };

interface Waiting {
  /** Of a read. */
  readonly block: number | undefined;
  readonly resolve: (heard: Heard) => void;
  readonly reject: (error: Error) => void;
}

/** @throws target_unavailable, unauthorized, forbidden */
export async function connectResp(options: LaneOptions): Promise<Lane> {
  const { host, port, tenant, key } = options.target;
  const lane = new RespLane(connect({ host, port, noDelay: true }), options);
  try {
    if (key !== undefined) {
      const words = tenant === undefined ? ['AUTH', key] : ['AUTH', tenant, key];
      const reply = await lane.command(words);
      if (reply.type === 'error')
        throw new CenoteError('unauthorized', `${lane.name}: ${reply.text}`);
    }
    // A server that knows no HELLO speaks RESP2 anyway.
    fatal(await lane.command(['HELLO', '2', 'SETNAME', clientName]), lane.name);
  } catch (error) {
    lane.close();
    throw error;
  }
  return lane;
}

class RespLane implements Lane {
  readonly window: number;
  readonly name: string;
  readonly #socket: Socket;
  readonly #bytes: BlockBytes;
  readonly #check: BlockCheck;
  readonly #prefix: string;
  readonly #ttlMs: string;
  readonly #waiting: Waiting[] = [];
  #failure: Error | undefined;
  #corked = false;

  constructor(socket: Socket, options: LaneOptions) {
    const { bytes, target, patienceMs } = options;
    this.window = Math.max(1, Math.min(maxWindow, Math.floor(maxWindowBytes / bytes.blockBytes)));
    this.name = target.name;
    this.#socket = socket;
    this.#bytes = bytes;
    this.#check = new BlockCheck(bytes);
    this.#prefix = options.prefix;
    this.#ttlMs = String(Math.ceil(options.ttlMs));
    const reader = new ReplyReader({
      onBulk: () => this.#beginBlock(),
      onBytes: (chunk) => this.#check.push(chunk),
      onReply: (reply) => this.#answer(reply),
    });
    socket.on('data', (chunk: Buffer) => this.#guarded(() => reader.push(chunk)));
    socket.on('error', (error) => this.#fail(unavailable(`${this.name}: ${error.message}`, error)));
    socket.on('close', () => this.#fail(unavailable(`${this.name} has closed the connection`)));
    socket.setTimeout(patienceMs, () => {
      if (this.#waiting.length > 0 || socket.connecting)
        this.#fail(unavailable(`${this.name} has not answered for ${patienceMs} ms`));
    });
  }

  async has(block: number): Promise<Answer> {
    const reply = await this.command(['EXISTS', this.#id(block)]);
    if (reply.type === 'integer') return reply.value === 1 ? 'yes' : 'no';
    return this.#otherwise(reply);
  }

  async read(block: number): Promise<Answer> {
    const reply = await this.command(['GET', this.#id(block)], block);
    if (reply.type === 'null') return 'no';
    if (reply.type === 'block') return reply.isRight ? 'yes' : 'wrong';
    return this.#otherwise(reply);
  }

  async write(block: number): Promise<Answer> {
    const { blockBytes } = this.#bytes;
    const id = this.#id(block);
    const head = `*5\r\n${word('SET')}${word(id)}$${blockBytes}\r\n`;
    const tail = `\r\n${word('PX')}${word(this.#ttlMs)}`;
    const pieces = [
      Buffer.concat([Buffer.from(head), this.#bytes.header(block)]),
      this.#bytes.body(block),
      Buffer.from(tail),
    ];
    const reply = await this.#send(pieces, undefined);
    return reply.type === 'status' ? 'yes' : this.#otherwise(reply);
  }

  close(): void {
    this.#fail(unavailable(`the connection to ${this.name} was closed here`));
  }

  command(words: readonly string[], block?: number): Promise<Heard> {
    return this.#send([Buffer.from(`*${words.length}\r\n${words.map(word).join('')}`)], block);
  }

  #send(pieces: readonly Buffer[], block: number | undefined): Promise<Heard> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#cork();
    for (const piece of pieces) this.#socket.write(piece);
    return new Promise((resolve, reject) => this.#waiting.push({ block, resolve, reject }));
  }

  /** What is sent within one turn goes out in one write. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
    setImmediate(() => {
      this.#corked = false;
      this.#socket.uncork();
    });
  }

  #id(block: number): string {
    return this.#prefix + String(block);
  }

  #beginBlock(): void {
    const block = this.#waiting[0]?.block;
    if (block === undefined) throw unavailable(`${this.name} sent bytes that nobody asked for`);
    this.#check.begin(block);
  }

  #answer(reply: Reply): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) throw unavailable(`${this.name} sent a reply that nobody asked for`);
    // Now, since the check is the next block's as soon as more bytes are read.
    const isRight = this.#check.isWhole;
    waiting.resolve(reply.type === 'bulk' ? { type: 'block', isRight } : reply);
  }

  #otherwise(reply: Heard): Answer {
    fatal(reply, this.name);
    if (reply.type !== 'error')
      throw unavailable(`${this.name} answered with a reply of another type`);
    return { word: firstWord(reply.text), message: reply.text };
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error instanceof Error ? error : unavailable(String(error)));
    }
  }

  /** Ends the lane: everyone who waits hears why, and who comes later too. */
  #fail(error: Error): void {
    this.#failure ??= error;
    this.#socket.destroy();
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failure);
  }
}

function word(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

function firstWord(text: string): string {
  return text.split(' ', 1)[0] as string;
}

function fatal(reply: Heard, name: string): void {
  if (reply.type !== 'error') return;
  const code = fatalWords[firstWord(reply.text) as keyof typeof fatalWords];
  if (code !== undefined) throw new CenoteError(code, `${name}: ${reply.text}`);
}

function unavailable(message: string, cause?: unknown): CenoteError {
  return new CenoteError('target_unavailable', message, { cause });
}
