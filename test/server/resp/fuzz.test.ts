/** Whatever comes: commands that were generated, and those with bytes changed, over real sockets, in pieces. */

import { once } from 'node:events';
import { connect } from 'node:net';

import { describe, expect, it } from 'vitest';

import { Random } from '../../../src/base/random.ts';
import { errorTable } from '../../../src/errors.ts';
import { commands } from '../../../src/server/resp/commands/index.ts';
import { rounds, seed } from '../../support/seed.ts';
import { until } from '../../support/until.ts';
import { encode, ErrorReply, readReply, type Reply, type Word } from './support/client.ts';
import { pattern, serveResp } from './support/serve.ts';

/** So many connections at once. */
const lanes = 32;
const large = pattern(40_000);
const keys = ['k', 'l', 'h', 'key:1', 'schön', '', '\x1aé', 'x'.repeat(600)];
const options = 'EX PX NX XX GT LT GET KEEPTTL MATCH COUNT TYPE AUTH SETNAME * [^a-\\ 0 1 -1 2 3';
const words = options.split(' ');

class Source {
  readonly #random: Random;

  constructor(start: number, number: number) {
    // Neighbouring seeds begin alike.
    this.#random = new Random(Math.imul(start + number, 0x9e3779b1));
    for (let i = 0; i < 8; i++) this.#random.next();
  }

  below(limit: number): number {
    return this.#random.below(limit);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  word(): Word {
    switch (this.below(6)) {
      case 0:
        return this.pick(words);
      case 1:
        return this.below(4) === 0 ? large.subarray(0, 16_000 + this.below(20_000)) : 'v';
      case 2:
        return Buffer.from([this.below(256), this.below(256), 0xff]);
      case 3:
        return this.below(100_000) - 50_000;
      default:
        return this.pick(keys);
    }
  }

  command(): Buffer {
    const { name, arity } = this.pick(commands.all);
    const count = Math.max(0, Math.abs(arity) - 1 + (this.below(3) === 0 ? this.below(4) : 0));
    const args = Array.from({ length: count }, () => this.word());
    if (this.below(8) > 0) return encode(name, ...args);
    const line = args.map((arg) => (arg instanceof Uint8Array ? '"\\xff"' : `"${arg}"`)).join(' ');
    return Buffer.from(`${name} ${line}\r\n`);
  }

  /** Commands, some of them with bytes changed, taken out, put in, or doubled. */
  stream(): Buffer {
    const bytes = Buffer.concat(Array.from({ length: 1 + this.below(4) }, () => this.command()));
    if (this.below(3) === 0) return bytes;
    const at = this.below(bytes.length);
    const more = this.pick(['\r\n', '*', '$', '-1', '$99999999999\r\n', '*3\r\n', '\0', '"', '9']);
    switch (this.below(4)) {
      case 0:
        bytes[at] = this.below(256);
        return bytes;
      case 1:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + this.below(8))]);
      case 2:
        return Buffer.concat([bytes.subarray(0, at), Buffer.from(more), bytes.subarray(at)]);
      default:
        return Buffer.concat([bytes, bytes.subarray(at)]);
    }
  }
}

/** Sends in pieces, stops sending, and reads until the server closes. */
async function exchange(port: number, bytes: Buffer, cut: number): Promise<Buffer> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  // The server may have ended the connection while more is sent.
  socket.on('error', () => {});
  socket.write(bytes.subarray(0, cut));
  if (cut < bytes.length) {
    await once(socket, 'connect');
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(bytes.subarray(cut));
  }
  socket.end();
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  return Buffer.concat(chunks);
}

function repliesIn(bytes: Buffer): Reply[] {
  const replies: Reply[] = [];
  for (let at = 0; at < bytes.length;) {
    const found = readReply(bytes, at);
    if (found === undefined) throw new Error(`cut: ${bytes.toString('latin1', at, at + 80)}`);
    replies.push(found.reply);
    at = found.end;
  }
  return replies;
}

describe('RESP', () => {
  it('answers whatever comes with whole replies and coded errors, and holds nothing afterwards', async () => {
    const start = seed();
    const count = rounds(4000, 100_000);
    const server = await serveResp({}, { pool: { capacityBytes: 16 * 2 ** 20 } });
    const port = Number(new URL(server.respUrl).port);
    const codes = new Map<string, number>();
    let next = 0;
    async function lane(): Promise<void> {
      while (next < count) {
        const number = next++;
        const source = new Source(start, number);
        const bytes = source.stream();
        const cut = 1 + source.below(bytes.length);
        const answer = await exchange(port, bytes, cut);
        let replies: Reply[];
        try {
          replies = repliesIn(answer);
        } catch (error) {
          throw new Error(`case ${number}: ${JSON.stringify(bytes.toString('latin1'))}`, {
            cause: error,
          });
        }
        for (const reply of replies) {
          if (!(reply instanceof ErrorReply)) continue;
          expect(Object.keys(errorTable), reply.text).toContain(reply.code);
          codes.set(reply.code, (codes.get(reply.code) ?? 0) + 1);
        }
      }
    }
    await Promise.all(Array.from({ length: lanes }, lane));
    process.stdout.write(
      `${count} streams, refused: ${JSON.stringify(Object.fromEntries(codes))}\n`,
    );
    await until(() => server.server.respStats()?.connections === 0);
    expect(server.errors).toEqual([]);
    expect(server.server.respStats()).toMatchObject({ inFlightBytes: 0, waitingBytes: 0 });
    server.pool.sweepExpired();
    expect(server.pool.stats().retiredParts).toBe(0);
    expect(server.pool.check()).toMatchObject({ ok: true, errors: [] });
  });
});
