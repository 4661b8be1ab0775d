import { availableParallelism } from 'node:os';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { directImports } from './scripts/vitest-imports.ts';

const soak = process.env['CENOTE_SOAK'] === '1';
const ci = process.env['CI'] === 'true';

/** Bounds against a test that hangs, not expectations about speed. */
const testTimeoutMs = soak ? 3_600_000 : ci ? 300_000 : 180_000;

/** What takes a minute or more with CI=true, most first. By the size of their files, which is vitest's order, some of them would come last, and run alone. */
const longest = [
  'test/mutants/mutants',
  'test/alloc/kills',
  'test/alloc/neighbours',
  'test/crash/beside.crash',
  'test/pool/threads',
  'test/memory/users',
  'test/pool/kill',
  'test/pool/interleaved',
  'test/server/resp/fuzz',
  'test/histories/processes',
  'test/model/pool.model',
  'test/server/captures',
  'test/cli/check',
  'test/pool/many-interleaved',
  'test/kv/policies',
  'test/crash/pool.crash',
  'test/pool/many-kill',
  'test/crash/recovery.crash',
].map((name) => `/${name}.test.ts`);

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((name) => moduleId.endsWith(name));
      return at < 0 ? longest.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

const config: ViteUserConfig = defineConfig({
  plugins: [directImports()],
  test: {
    include: ['test/**/*.test.ts'],
    // Worker threads and kill -9 are part of the subject: each file gets a process of its own.
    pool: 'forks',
    // By default one core is left over: of two that is half of them.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
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
