import { describe, expect, it } from 'vitest';
import { hasCommand, runToEnd } from '../support/children.ts';
import { fakeEngine } from './chat/fake-engine.ts';
import { serve } from './support/serve.ts';

const hasPromtool = hasCommand('promtool');

describe('the metrics page', () => {
  it('is valid to Prometheus, and follows its conventions', async (context) => {
    if (!hasPromtool) context.skip('no promtool: apt-get install prometheus');
    const { call } = await serve({ resp: { port: 0 }, engine: fakeEngine('a "model"\\\n') });
    const before = (await call('GET', '/metrics')).body;
    await call('PUT', '/v1/contexts/c/parts/p', { body: 'hello' });
    await call('GET', '/v1/contexts/c/parts/p');
    await call('GET', '/v1/contexts/c/parts/absent');
    await call('DELETE', '/v1/contexts/c');
    for (const input of [before, (await call('GET', '/metrics')).body]) {
      const words = ['check', 'metrics', '--extended'];
      const { status, stdout, stderr } = runToEnd('promtool', words, { input });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('cenote_');
    }
  });
});
