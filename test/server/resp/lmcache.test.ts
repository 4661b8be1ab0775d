/**
 * What LMCache's own connector (csrc/storage_backends/redis) sends and expects, byte for byte: it writes the pieces below as they are, and reads
 * replies by length, without looking for what else they could be.
 */

import assert from 'node:assert/strict';

import { describe, expect, it } from 'vitest';

import { Keyring } from '../../../src/server/index.ts';
import { testKey } from '../support/client.ts';
import { ErrorReply, type RespClient } from './support/client.ts';
import { pattern, serveResp } from './support/serve.ts';

const chunkBytes = 4 * 2 ** 20;

/** The connector, as far as its bytes go. */
class Connector {
  readonly client: RespClient;

  constructor(client: RespClient) {
    this.client = client;
  }

  async auth(...words: readonly string[]): Promise<string> {
    const bulks = words.map((word) => `$${word.length}\r\n${word}\r\n`).join('');
    this.client.send(`*${words.length + 1}\r\n$4\r\nAUTH\r\n${bulks}`);
    return this.client.bytes(5);
  }

  async set(key: string, value: Buffer): Promise<string> {
    this.client.send('*3\r\n$3\r\nSET\r\n');
    this.client.send(`$${key.length}\r\n${key}\r\n`);
    this.client.send(`$${value.length}\r\n`);
    this.client.send(value);
    this.client.send('\r\n');
    return this.client.bytes(5);
  }

  async get(key: string, sizeBytes: number): Promise<Buffer> {
    this.client.send(`*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`);
    const header = `$${sizeBytes}\r\n`;
    assert.equal(await this.client.bytes(header.length), header);
    const value = await this.client.bytes(sizeBytes);
    assert.equal(await this.client.bytes(2), '\r\n');
    return Buffer.from(value, 'latin1');
  }

  async exists(key: string): Promise<string> {
    this.client.send(`*2\r\n$6\r\nEXISTS\r\n$${key.length}\r\n${key}\r\n`);
    return this.client.bytes(4);
  }

  async delete(key: string): Promise<string> {
    this.client.send(`*2\r\n$3\r\nDEL\r\n$${key.length}\r\n${key}\r\n`);
    return this.client.bytes(4);
  }
}

const key = 'vllm@meta-llama/Llama-3.1-8B@1@0@3fa9c2d1e07b5a44@half';

describe("LMCache's connector", () => {
  it('stores, finds, reads and deletes chunks', async () => {
    const server = await serveResp({}, { auth: Keyring.of(testKey) });
    for (const words of [[testKey], ['default', testKey]]) {
      const connector = new Connector(await server.connect());
      expect(await connector.auth(...words)).toBe('+OK\r\n');
      expect(await connector.exists(key)).toBe(':0\r\n');
      const value = pattern(chunkBytes);
      expect(await connector.set(key, value)).toBe('+OK\r\n');
      expect(await connector.exists(key)).toBe(':1\r\n');
      expect((await connector.get(key, chunkBytes)).equals(value)).toBe(true);
      connector.client.send(`*2\r\n$3\r\nGET\r\n$4\r\nnone\r\n`);
      expect(await connector.client.bytes(5)).toBe('$-1\r\n');
      expect(await connector.delete(key)).toBe(':1\r\n');
      expect(await connector.delete(key)).toBe(':0\r\n');
    }
  });

  it('is told of a refusal after its value is read, and then closed: nothing can be taken for another reply', async () => {
    const server = await serveResp({}, { pool: { capacityBytes: 4 * 2 ** 20 } });
    const { client } = new Connector(await server.connect());
    client.send(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${chunkBytes}\r\n`);
    client.send(pattern(chunkBytes));
    client.send(`\r\n*2\r\n$6\r\nEXISTS\r\n$${key.length}\r\n${key}\r\n`);
    expect(await client.rest()).toMatch(
      /^-(ERR|OOM) [^\r\n]* \((value_too_large|pool_full)\)\r\n$/,
    );
    expect(server.server.respStats()?.closed.refused).toBe(1);
  });

  it('says -OOM where the pool is full and nothing may go', async () => {
    const server = await serveResp({}, { pool: { capacityBytes: 8 * 2 ** 20 } });
    const { pool } = server;
    const fill = new Uint8Array(2 ** 20);
    expect(() => {
      for (let i = 0; i < 16; i++) pool.put(`pinned${i}`, 'value', fill, { pinned: true });
    }).toThrow(/No room/);
    const { client } = new Connector(await server.connect());
    client.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${2 ** 20}\r\n`);
    client.send(fill);
    client.send('\r\n');
    expect(await client.rest()).toMatch(
      /^-OOM No room for 1048576 bytes[^\r\n]* \(pool_full\)\r\n$/,
    );
  });

  it('is not mistaken for a client that says who it is', async () => {
    const server = await serveResp({}, { pool: { capacityBytes: 4 * 2 ** 20 } });
    for (const first of ['CLIENT SETINFO lib-name x\r\n', 'PING\r\n', '*1\r\n$5\r\nHELLO\r\n']) {
      const client = await server.connect();
      client.send(first);
      await client.reply();
      expect(await client.call('SET', 'k', pattern(chunkBytes))).toBeInstanceOf(ErrorReply);
      expect(await client.call('PING')).toBe('PONG');
    }
  });
});
