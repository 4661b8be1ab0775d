import { availableParallelism } from 'node:os';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const soak = process.env['CENOTE_SOAK'] === '1';
const ci = process.env['CI'] === 'true';

/** Bounds against a test that hangs, not expectations about speed. */
const testTimeoutMs = soak ? 3_600_000 : ci ? 300_000 : 60_000;

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Worker threads and kill -9 are part of the subject: each file gets a process of its own.
    pool: 'forks',
    // By default one core is left over: of two that is half of them.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: testTimeoutMs,
    hookTimeout: testTimeoutMs,
    globalSetup: ['scripts/vitest-setup.mjs'],
    setupFiles: ['test/support/watched.ts'],
    reporters: ['default', './scripts/vitest-watch.mjs'],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'html'],
    },
  },
});

export default config;
