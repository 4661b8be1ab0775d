/** What engines count, on the metrics page. */

import { expect, it } from 'vitest';
import { pastOf, sumOf } from '../../src/server/numbers.ts';
import { metricsPage } from '../../src/server/http/metrics.ts';
import { fakeEngine, fakeStats } from './chat/fake-engine.ts';
import { serve } from './support/serve.ts';

const label = 'model="parrot"';

it('are told by model', async () => {
  const { call } = await serve({ engine: fakeEngine() });
  const { body } = await call('GET', '/metrics');
  const lines = [
    `cenote_engine_instances{${label}} 1`,
    `cenote_engine_queued_requests{${label}} 5`,
    `cenote_engine_requests_total{${label}} 4`,
    `cenote_engine_tokens_total{${label},kind="cached"} 60`,
    `cenote_engine_tokens_total{${label},kind="computed"} 40`,
    `cenote_engine_tokens_total{${label},kind="completion"} 10`,
    `cenote_engine_blocks_total{${label},outcome="restored"} 13`,
    `cenote_engine_blocks_total{${label},outcome="written"} 11`,
    `cenote_engine_refused_blocks_total{${label},reason="checksum"} 18`,
    '# TYPE cenote_engine_queue_wait_seconds histogram',
    `cenote_engine_queue_wait_seconds_bucket{${label},le="0.001"} 2`,
    `cenote_engine_queue_wait_seconds_bucket{${label},le="0.25"} 3`,
    `cenote_engine_queue_wait_seconds_bucket{${label},le="+Inf"} 4`,
    `cenote_engine_queue_wait_seconds_sum{${label}} 0.4`,
    `cenote_engine_queue_wait_seconds_count{${label}} 4`,
    `cenote_engine_first_token_seconds_count{${label}} 4`,
    `cenote_engine_batch_sequences_bucket{${label},le="2"} 15`,
    `cenote_engine_batch_sequences_sum{${label}} 23`,
  ];
  const page = String(body).split('\n');
  for (const line of lines) expect(page).toContain(line);
});

it('are absent without an engine', async () => {
  const { call } = await serve();
  expect(String((await call('GET', '/metrics')).body)).not.toContain('cenote_engine');
});

it('have names that cannot break the page', async () => {
  const { call } = await serve({ engine: fakeEngine(`x"} 1\n\\${'y'.repeat(1000)}`) });
  const page = String((await call('GET', '/metrics')).body).split('\n');
  const line = page.find((text) => text.startsWith('cenote_engine_instances{'));
  expect(line).toMatch(/^cenote_engine_instances\{model="x\\"\} 1\\n\\\\y{1,127}"\} 1$/);
});

it('are added up over workers, also over those that have gone, and stay few', async () => {
  const { server } = await serve({ engine: fakeEngine() });
  const one = server.numbers();
  const past = pastOf([one]);
  const { engines = [] } = sumOf([one, one, ...past]);
  expect(engines).toHaveLength(1);
  expect(engines[0]?.stats).toMatchObject({
    instances: 2,
    running: 2,
    queued: 10,
    requests: 12,
    cachedTokens: 180,
    waits: { bounds: [1, 250], counts: [6, 3, 3], sum: 1200 },
    batches: { counts: [21, 24, 0], sum: 69 },
    blocksRefused: { fingerprint: 48, refused: 60 },
  });
  const many = Array.from({ length: 40 }, (_, at) => ({ model: `m${at}`, stats: fakeStats }));
  const page = metricsPage({ ...one, engines: many });
  expect(page.match(/cenote_engine_instances\{/g)).toHaveLength(16);
});
