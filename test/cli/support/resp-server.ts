/** A server that speaks as much RESP2 as a replay needs, with faults on demand. */

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Faults {
  /** Asked for with AUTH before anything else. */
  readonly key?: string;
  readonly tenant?: string;
  /** Writes beyond this many blocks are refused. */
  readonly maxBlocks?: number;
  /** Every read gives other bytes. */
  readonly corrupt?: boolean;
  /** After so many commands replies are this, whatever was asked; or the server says `nothing`, or does `close`. */
  readonly after?: { readonly commands: number; readonly say: string };
  /** HELLO is unknown. */
  readonly old?: boolean;
}

export class RespServer {
  readonly blocks: Map<string, Buffer> = new Map();
  /** Names of all commands, in their order. */
  readonly commands: string[] = [];
  /** Milliseconds that writes asked to be kept for. */
  readonly ttls: Set<number> = new Set();
  readonly #faults: Faults;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(faults: Faults) {
    this.#faults = faults;
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  /** Listens on a free port until the test is over. */
  static async start(faults: Faults = {}): Promise<RespServer> {
    const server = new RespServer(faults);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      for (const socket of server.#sockets) socket.destroy();
      server.#server.close();
    });
    return server;
  }

  get url(): string {
    return `resp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    let rest: Buffer = Buffer.alloc(0);
    let known = this.#faults.key === undefined;
    socket.on('data', (chunk: Buffer) => {
      const { commands, left } = parse(Buffer.concat([rest, chunk]));
      rest = left;
      for (const words of commands) {
        const name = String(words[0]);
        this.commands.push(name);
        const { after } = this.#faults;
        if (after !== undefined && this.commands.length > after.commands) {
          if (after.say === 'close') socket.destroy();
          else if (after.say !== 'nothing') socket.write(after.say);
          continue;
        }
        if (name === 'AUTH') known = this.#isKnown(words.slice(1).map(String));
        if (known) socket.write(this.#answer(name, words.slice(1)));
        else socket.write(name === 'AUTH' ? '-WRONGPASS no such key\r\n' : '-NOAUTH say who\r\n');
      }
    });
  }

  #isKnown(words: readonly string[]): boolean {
    const { key, tenant } = this.#faults;
    return words.at(-1) === key && (words.length === 1 || words[0] === tenant);
  }

  #answer(name: string, [id, value, , ttl]: readonly Buffer[]): string | Buffer {
    const { blocks } = this;
    switch (name) {
      case 'AUTH':
        return '+OK\r\n';
      case 'HELLO':
        return this.#faults.old === true
          ? "-ERR unknown command 'HELLO'\r\n"
          : '*6\r\n$5\r\nproto\r\n:2\r\n$7\r\nmodules\r\n*2\r\n*0\r\n*1\r\n$0\r\n\r\n$4\r\nrole\r\n$-1\r\n';
      case 'EXISTS':
        return `:${blocks.has(String(id)) ? 1 : 0}\r\n`;
      case 'GET':
        return this.#bulk(blocks.get(String(id)));
      case 'SET':
        if (blocks.size >= (this.#faults.maxBlocks ?? Infinity)) return '-OOM all is full\r\n';
        blocks.set(String(id), Buffer.from(value as Buffer));
        this.ttls.add(Number(ttl));
        return '+OK\r\n';
      default:
        return `-ERR unknown command '${name}'\r\n`;
    }
  }

  #bulk(bytes: Buffer | undefined): string | Buffer {
    if (bytes === undefined) return '$-1\r\n';
    const sent = Buffer.from(bytes);
    if (this.#faults.corrupt === true) sent[sent.length - 1] = (sent.at(-1) as number) ^ 1;
    return Buffer.concat([Buffer.from(`$${sent.length}\r\n`), sent, Buffer.from('\r\n')]);
  }
}

/** Whole commands at the front of what has come. */
function parse(bytes: Buffer): { commands: Buffer[][]; left: Buffer } {
  const commands: Buffer[][] = [];
  let at = 0;
  let words: Buffer[] = [];
  let whole = 0;
  let wanted = 0;
  for (;;) {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0) break;
    const count = Number(bytes.toString('latin1', at + 1, end));
    at = end + 2;
    if (wanted === 0) {
      wanted = count;
      continue;
    }
    if (at + count + 2 > bytes.length) break;
    words.push(bytes.subarray(at, at + count));
    at += count + 2;
    if (words.length < wanted) continue;
    commands.push(words);
    words = [];
    wanted = 0;
    whole = at;
  }
  return { commands, left: Buffer.from(bytes.subarray(whole)) };
}
