import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/cli/command.ts';
import { parseTarget } from '../../../src/cli/replay/target.ts';

describe('a target', () => {
  it.each([
    ['resp://localhost', { protocol: 'resp', host: 'localhost', port: 6380 }],
    ['http://localhost', { protocol: 'http', host: 'localhost', port: 8080 }],
    ['RESP://127.0.0.1:7000/', { protocol: 'resp', host: '127.0.0.1', port: 7000 }],
    ['redis://127.0.0.1:6379', { protocol: 'resp', port: 6379, name: 'resp://127.0.0.1:6379' }],
    ['resp://[::1]:80', { protocol: 'resp', host: '::1', port: 80 }],
    ['http://[::1]', { protocol: 'http', host: '::1', port: 8080, name: 'http://[::1]:8080' }],
    ['resp://:a%2Fb@h:1', { host: 'h', key: 'a/b', tenant: undefined, name: 'resp://h:1' }],
    ['http://acme:key@h:1', { host: 'h', key: 'key', tenant: 'acme', name: 'http://h:1' }],
    ['resp://acme@h:1', { key: 'of the environment', tenant: 'acme' }],
    ['resp://h:1', { key: 'of the environment', tenant: undefined }],
  ])('%s', (text, target) => {
    expect(parseTarget(text, { CENOTE_API_KEY: 'of the environment' })).toMatchObject(target);
  });

  it('needs no key', () => {
    expect(parseTarget('resp://h', {}).key).toBeUndefined();
    expect(parseTarget('resp://h', { CENOTE_API_KEY: '' }).key).toBeUndefined();
  });

  it.each([
    'localhost:6380',
    'https://h:1',
    'rediss://h:1',
    'resp://',
    'resp://h:99999',
    'resp://h:1/path',
    'http://h:1?x=1',
    'resp://:%zz@h:1',
    'http://:s%3cret@h:1/path',
  ])('is refused: %s', (text) => {
    expect(() => parseTarget(text, {})).toThrow(UsageError);
    expect(() => parseTarget(text, {})).not.toThrow('s%3cret');
  });
});
