import { expect, it } from 'vitest';

import { errorTable } from '../../src/errors.ts';
import { routes } from '../../src/server/http/routes.ts';
import { codeIn, RawClient, testKey } from './support/client.ts';
import { parameters } from './support/fuzz.ts';
import { footprint, serve, type TestServer } from './support/serve.ts';
import { fc } from '../support/properties.ts';

const successes = new Set(
  routes.flatMap((route) => route.successes.map(({ status }) => status as number)),
);

const escape = fc.nat(255).map((byte) => `%${byte.toString(16).padStart(2, '0')}`);
const segment = fc.oneof(
  fc.constantFrom(
    'v1',
    'contexts',
    'parts',
    'append',
    'expire',
    'c',
    'p',
    '',
    '.',
    '..',
    '%',
    '%ff',
  ),
  fc
    .array(fc.oneof(fc.string({ unit: 'grapheme', maxLength: 3 }), escape), { maxLength: 6 })
    .map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 600 }).map(encodeSafely),
);
/** Mostly names that are there, so that much gets past the first checks. */
const someName = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('c', 'p') },
  { weight: 1, arbitrary: segment },
);
const knownRoute = fc
  .tuple(fc.constantFrom(...routes), someName, someName)
  .map(([{ method, path }, id, part]) => ({
    method: method as string,
    path: path.replace('{id}', () => id).replace('{part}', () => part),
  }));
const anyPath = fc.array(segment, { maxLength: 7 }).map((segments) => `/${segments.join('/')}`);

const parameterName = fc.oneof(
  fc.constantFrom(
    'kind',
    'type',
    'ttlMs',
    'tags',
    'dependsOn',
    'pinned',
    'sensitive',
    'limit',
    'after',
  ),
  fc.string({ maxLength: 5 }),
);
const parameterValue = fc.oneof(
  fc.constantFrom(
    'u32',
    'utf8',
    'f64',
    'blob',
    'true',
    '0',
    '1',
    '99999999999999999',
    'a,b',
    ',',
    '\\',
  ),
  fc.string({ unit: 'binary', maxLength: 20 }).map(encodeSafely),
  escape,
);
const query = fc
  .array(fc.tuple(parameterName, parameterValue), { maxLength: 4 })
  .map((pairs) => pairs.map(([name, value]) => `${name}=${value}`).join('&'));

const headerName = fc.constantFrom(
  'Range',
  'If-Match',
  'If-None-Match',
  'If-Range',
  'Content-Encoding',
  'Content-Type',
  'Expect',
  'Origin',
  'Authorization',
  'Transfer-Encoding',
  'Content-Length',
  'X-Other',
  'Upgrade',
  'Cookie',
);
const headerValue = fc.oneof(
  fc.constantFrom(
    'bytes=0-1',
    'bytes=-1',
    'bytes=9-',
    'bytes=5-1',
    '*',
    '"1"',
    'W/"1"',
    '"1", "2"',
    'chunked',
    '3',
    'identity',
    'gzip',
    `Bearer ${testKey}`,
    'Bearer x',
    '100-continue',
    'close',
    'h2c',
  ),
  fc.string({ maxLength: 30 }),
);
const body = fc.oneof(
  fc.constantFrom(
    '',
    '{}',
    '{"tag":"t"}',
    '{"ttlMs":5}',
    '{"part":"p"}',
    '{"ttlMs":null,"part":7}',
    '[]',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.json({ maxDepth: 2 }),
);
const anyRoute = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'TRACE', 'get', 'X'),
  path: fc.oneof(
    knownRoute.map(({ path }) => path),
    anyPath,
  ),
});

interface Message {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

const message: fc.Arbitrary<Message> = fc
  .record({
    route: fc.oneof({ weight: 4, arbitrary: knownRoute }, { weight: 1, arbitrary: anyRoute }),
    query: fc.oneof({ weight: 2, arbitrary: fc.constant('') }, { weight: 1, arbitrary: query }),
    headers: fc.oneof(
      fc.constant([]),
      fc.array(fc.tuple(headerName, headerValue), { maxLength: 3 }),
    ),
    body,
  })
  .map(({ route: { method, path }, query: text, ...rest }) => ({
    ...rest,
    method,
    target: text === '' ? path : `${path}?${text}`,
  }));

function encodeSafely(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** The message as bytes; line ends within values would make it several. */
function bytesOf({ method: verb, target, headers, body: content }: Message): Buffer {
  const oneLine = (text: string): string => text.replace(/[\r\n]/g, '');
  const own = headers.map(([name, value]) => `${name}: ${oneLine(value)}\r\n`).join('');
  const named = (name: string): boolean => headers.some(([other]) => other === name);
  const bytes = Buffer.from(content);
  const framing = named('Content-Length') || named('Transfer-Encoding');
  const length = framing ? '' : `Content-Length: ${bytes.length}\r\n`;
  const key = named('Authorization') ? '' : `Authorization: Bearer ${testKey}\r\n`;
  const head = `${verb} ${oneLine(target)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${key}${length}${own}\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

/** Statuses and bodies of all answers until the connection closed. */
async function exchange({ url }: TestServer, bytes: Buffer): Promise<string> {
  const client = await RawClient.to(url);
  client.socket.end(bytes);
  return client.receiveAll();
}

function expectCoded(seen: string): void {
  // A connection may close without an answer only when the message had no end.
  for (const answer of seen.split(/(?=HTTP\/1\.1 \d{3} )/)) {
    const status = Number(answer.slice(9, 12));
    if (answer === '' || status === 100 || successes.has(status)) continue;
    const text = answer.slice(answer.indexOf('\r\n\r\n') + 4);
    if (text === '') continue;
    const code = codeIn(text);
    expect(Object.keys(errorTable)).toContain(code);
    expect(errorTable[code].httpStatus).toBe(status);
  }
}

it('answers whatever comes with a success or a coded error', async () => {
  const target = await serve({ limits: { lingerMs: 10 } });
  const statuses = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(message, async (one) => {
      target.pool.put('c', 'p', 'something', { tags: ['t'] });
      const seen = await exchange(target, bytesOf(one));
      expect(seen, 'an answer').toMatch(/^HTTP\/1\.1 \d{3} /);
      expectCoded(seen);
      for (const [, status] of seen.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
        statuses.set(status as string, (statuses.get(status as string) ?? 0) + 1);
      }
      expect(target.errors).toEqual([]);
    }),
    parameters(1500),
  );
  console.log(Object.fromEntries([...statuses].sort(([a], [b]) => a.localeCompare(b))));
  expect(statuses.has('500')).toBe(false);
  expect(target.pool.check().errors).toEqual([]);
});

it('survives bytes that are no HTTP', async () => {
  const target = await serve({ limits: { lingerMs: 10 } });
  const before = footprint(target.pool);
  const get = Buffer.from(
    `GET /v1/stats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${testKey}\r\n\r\n`,
  );
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    // A good message with one byte changed.
    fc.tuple(fc.nat(get.length - 1), fc.nat(255)).map(([at, byte]) => {
      const changed = Uint8Array.from(get);
      changed[at] = byte;
      return changed;
    }),
  );
  await fc.assert(
    fc.asyncProperty(noise, async (bytes) => {
      expectCoded(await exchange(target, Buffer.from(bytes)));
      expect(target.errors).toEqual([]);
    }),
    parameters(700),
  );
  expect(footprint(target.pool)).toEqual(before);
  expect((await target.call('GET', '/healthz')).status).toBe(200);
});
