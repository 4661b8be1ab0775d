import { describe, expect, it } from 'vitest';
import { BlockBytes } from '../../../src/cli/replay/block-bytes.ts';
import { connectLane, type Lane, type LaneOptions } from '../../../src/cli/replay/lane.ts';
import { Player } from '../../../src/cli/replay/player.ts';
import { parseTarget } from '../../../src/cli/replay/target.ts';
import { requestCount, type Trace } from '../../../src/kv/traces/trace.ts';
import { traceOf } from '../../kv/support.ts';
import { serve } from '../../server/support/serve.ts';
import { RespServer } from '../support/resp-server.ts';

const bytes = new BlockBytes(64, 9);

function laneOptions(url: string, patienceMs = 30_000): LaneOptions {
  return { target: parseTarget(url, {}), bytes, prefix: 'p:', ttlMs: 1000.5, patienceMs };
}

/** Keeps blocks in memory, and a list of what was asked. */
class PaperLane implements Lane {
  readonly window: number;
  readonly asked: string[] = [];
  readonly #blocks: Set<number>;
  readonly #beforeEach: () => void | Promise<void>;

  constructor(options: {
    window?: number;
    blocks?: Set<number>;
    beforeEach?: () => void | Promise<void>;
  }) {
    this.window = options.window ?? 4;
    this.#blocks = options.blocks ?? new Set();
    this.#beforeEach = options.beforeEach ?? (() => {});
  }

  async #ask(what: string, block: number): Promise<void> {
    this.asked.push(`${what} ${block}`);
    await this.#beforeEach();
  }

  async has(block: number): Promise<'yes' | 'no'> {
    await this.#ask('has', block);
    return this.#blocks.has(block) ? 'yes' : 'no';
  }

  async read(block: number): Promise<'yes' | 'no'> {
    await this.#ask('read', block);
    return this.#blocks.has(block) ? 'yes' : 'no';
  }

  async write(block: number): Promise<'yes'> {
    await this.#ask('write', block);
    this.#blocks.add(block);
    return 'yes';
  }

  close(): void {}
}

function playerOf(
  trace: Trace,
  lanes: readonly Lane[],
  more: Partial<ConstructorParameters<typeof Player>[0]> = {},
): Player {
  return new Player({
    trace,
    bytes,
    lanes,
    speed: 'flat',
    signal: new AbortController().signal,
    nowMs: () => performance.now(),
    onProgress: () => {},
    ...more,
  });
}

describe('a request', () => {
  it('asks in order until a block is missing, reads and writes from the last to the first', async () => {
    const lane = new PaperLane({ window: 2, blocks: new Set([0, 1, 2, 5]) });
    const player = playerOf(traceOf([[0, 1, 2, 3, 4, 5]]), [lane]);
    await player.play();
    expect(lane.asked.join(', ')).toBe(
      'has 0, has 1, has 2, has 3, read 2, read 1, read 0, write 5, write 4, write 3',
    );
    expect(player.figures).toMatchObject({ requests: 1, blockRefs: 6, hits: 3 });
    expect(player.figures).toMatchObject({ readBytes: 3 * 64, writtenBytes: 3 * 64 });
  });

  it('counts no block behind one that has gone between asking and reading', async () => {
    const lane = new PaperLane({ blocks: new Set([0, 1, 2]) });
    lane.read = (block) => Promise.resolve(block === 1 ? 'no' : 'yes');
    const player = playerOf(traceOf([[0, 1, 2]]), [lane]);
    await player.play();
    expect(player.figures.hits).toBe(1);
    expect(lane.asked.slice(3)).toEqual(['write 2', 'write 1']);
  });

  it('keeps no more operations under way than the lane takes', async () => {
    let under = 0;
    let most = 0;
    const beforeEach = async (): Promise<void> => {
      under += 1;
      most = Math.max(most, under);
      await new Promise(setImmediate);
      under -= 1;
    };
    const lane = new PaperLane({ window: 3, beforeEach });
    await playerOf(traceOf([Array.from({ length: 20 }, (_, block) => block)]), [lane]).play();
    expect(most).toBe(3);
  });
});

describe('a run', () => {
  const trace = traceOf(Array.from({ length: 30 }, (_, request) => [request, request + 100]));

  it('plays each request once over all lanes', async () => {
    const blocks = new Set<number>();
    const lanes = Array.from(
      { length: 4 },
      () => new PaperLane({ blocks, beforeEach: () => new Promise(setImmediate) }),
    );
    const player = playerOf(trace, lanes);
    await player.play();
    expect(player.isComplete).toBe(true);
    expect(blocks).toEqual(new Set(trace.references));
    const asked = lanes.flatMap((lane) => lane.asked.filter((what) => what.startsWith('write')));
    expect(new Set(asked).size).toBe(60);
    expect(asked.length).toBe(60);
    for (const lane of lanes) expect(lane.asked.length).toBeGreaterThan(0);
  });

  it('begins no request before its time', async () => {
    const speed = 1000;
    const startMs = performance.now();
    const begunMs: number[] = [];
    const lane = new PaperLane({});
    const has = lane.has.bind(lane);
    lane.has = (block) => {
      // The first block of a request has an even number: blocks are numbered as they appear.
      if (block % 2 === 0) begunMs.push(performance.now());
      return has(block);
    };
    const player = playerOf(trace, [lane], { speed });
    await player.play();
    expect(begunMs.length).toBe(requestCount(trace));
    for (const [request, ms] of begunMs.entries())
      expect(ms).toBeGreaterThanOrEqual(startMs + (trace.arrivalsMs[request] as number) / speed);
  });

  it('counts what waits for a free lane into the latency of a request', async () => {
    let nowMs = 0;
    const lane = new PaperLane({ beforeEach: () => void (nowMs += 5) });
    // All requests are due at once; each takes 20 ms, and waits for those before it.
    const player = playerOf({ ...trace, arrivalsMs: new Float64Array(30) }, [lane], {
      speed: 1,
      nowMs: () => nowMs,
    });
    await player.play();
    const { request } = player.figures.latencies;
    expect(request.max).toBe(30 * 20 * 1000);
    expect(player.figures.late).toBe(29);
  });

  it('ends when it is told to, with what was played, also while it waits for a time to come', async () => {
    const controller = new AbortController();
    const onProgress = (): void => controller.abort();
    const slow = { ...trace, arrivalsMs: trace.arrivalsMs.map((ms) => ms * 1e9) };
    const player = playerOf(slow, [new PaperLane({}), new PaperLane({})], {
      speed: 1,
      signal: controller.signal,
      onProgress,
    });
    await player.play();
    expect(player.figures.requests).toBe(1);
    expect(player.isComplete).toBe(false);
  });

  it('ends with the error of a lane, and wakes the others', async () => {
    const slow = { ...trace, arrivalsMs: trace.arrivalsMs.map((ms) => ms * 1e9) };
    const broken = new PaperLane({ beforeEach: () => Promise.reject(new Error('gone')) });
    const player = playerOf(slow, [broken, new PaperLane({})], { speed: 1 });
    await expect(player.play()).rejects.toThrow('gone');
    expect(player.figures.requests).toBe(0);
  });
});

describe.each(['resp', 'http'])('a lane over %s', (protocol) => {
  async function connected(patienceMs?: number): Promise<Lane> {
    if (protocol === 'resp')
      return connectLane(laneOptions((await RespServer.start()).url, patienceMs));
    return connectLane(laneOptions((await serve({ auth: 'none' })).url, patienceMs));
  }

  it('writes blocks, finds them, and reads what was written', async () => {
    const lane = await connected();
    expect(await lane.has(3)).toBe('no');
    expect(await lane.read(3)).toBe('no');
    expect(await lane.write(3)).toBe('yes');
    expect(await lane.write(3)).toBe('yes');
    expect(await lane.has(3)).toBe('yes');
    expect(await lane.read(3)).toBe('yes');
    expect(await lane.read(4)).toBe('no');
    lane.close();
  });

  it('says where nobody listens', async () => {
    const reached = connectLane(laneOptions(`${protocol}://127.0.0.1:1`));
    await expect(reached).rejects.toMatchObject({ code: 'target_unavailable' });
    await expect(reached).rejects.toThrow(`${protocol}://127.0.0.1:1`);
  });
});

describe('a lane over resp', () => {
  it('tells the right answer of reads that were sent together', async () => {
    const server = await RespServer.start();
    const lane = await connectLane(laneOptions(server.url));
    for (const block of [1, 2, 3, 5]) await lane.write(block);
    const held = server.blocks.get('p:3') as Buffer;
    server.blocks.set('p:2', held);
    const answers = await Promise.all([1, 2, 3, 4, 5].map((block) => lane.read(block)));
    expect(answers).toEqual(['yes', 'wrong', 'yes', 'no', 'yes']);
    expect(server.ttls).toEqual(new Set([1001]));
    lane.close();
  });

  it('has few large blocks under way, or many small ones', async () => {
    const server = await RespServer.start();
    const windowOf = async (blockBytes: number): Promise<number> => {
      const lane = await connectLane({
        ...laneOptions(server.url),
        bytes: new BlockBytes(blockBytes, 1),
      });
      lane.close();
      return lane.window;
    };
    expect(await windowOf(1024)).toBe(32);
    expect(await windowOf(4 * 2 ** 20)).toBe(2);
    expect(await windowOf(64 * 2 ** 20)).toBe(1);
  });

  it('goes without HELLO where that is unknown', async () => {
    const lane = await connectLane(laneOptions((await RespServer.start({ old: true })).url));
    expect(await lane.write(1)).toBe('yes');
    lane.close();
  });

  it('shows its key first', async () => {
    const server = await RespServer.start({ key: 'right', tenant: 'acme' });
    const withKey = (words: string): Promise<Lane> =>
      connectLane(laneOptions(server.url.replace('//', `//${words}@`)));
    for (const words of [':right', 'acme:right']) {
      const lane = await withKey(words);
      expect(await lane.has(1)).toBe('no');
      lane.close();
    }
    for (const words of [':wrong', 'other:right'])
      await expect(withKey(words)).rejects.toMatchObject({ code: 'unauthorized' });
    await expect(connectLane(laneOptions(server.url))).rejects.toMatchObject({
      code: 'unauthorized',
    });
  });

  it.each([
    ['close', 'has closed the connection'],
    ['nothing', 'has not answered for 50 ms'],
    ['HTTP/1.1 400 Bad Request\r\n', 'does not speak RESP'],
    ['$3\r\nabc\r\n', 'sent bytes that nobody asked for'],
    [':1\r\n:1\r\n', 'sent a reply that nobody asked for'],
    ['+OK\r\n', 'reply of another type'],
  ])('ends for good when the server says %j', async (say, message) => {
    const server = await RespServer.start({ after: { commands: 2, say } });
    const lane = await connectLane(laneOptions(server.url, 50));
    await lane.write(1);
    const asked = lane.has(1).then(() => lane.has(2));
    await expect(asked).rejects.toMatchObject({ code: 'target_unavailable' });
    await expect(asked).rejects.toThrow(message);
    lane.close();
    await expect(lane.has(1)).rejects.toMatchObject({ code: 'target_unavailable' });
  });
});

describe('a lane over http', () => {
  it('needs the key of the server', async () => {
    const { url } = await serve();
    await expect(connectLane(laneOptions(url))).rejects.toMatchObject({ code: 'unauthorized' });
  });

  it('tells a refusal by its code', async () => {
    const { url, pool } = await serve({ auth: 'none' });
    const lane = await connectLane(laneOptions(url));
    await pool.close();
    expect(await lane.read(1)).toMatchObject({ word: 'pool_closed' });
    expect(await lane.write(1)).toMatchObject({ word: 'pool_closed' });
    lane.close();
  });

  it('asks again when a connection that was kept is closed meanwhile', async () => {
    const { url, server } = await serve({ auth: 'none', limits: { keepAliveTimeoutMs: 1 } });
    const lane = await connectLane(laneOptions(url));
    for (let round = 0; round < 20; round += 1) {
      expect(await lane.write(round)).toBe('yes');
      while (round % 2 === 0 && server.stats().connections > 0) await new Promise(setImmediate);
    }
    lane.close();
  });
});
