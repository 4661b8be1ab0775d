import { availableParallelism } from 'node:os';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { filesAlone } from './scripts/vitest-alone.ts';
import { directImports } from './scripts/vitest-imports.ts';

const soak = process.env['CENOTE_SOAK'] === '1';
const ci = process.env['CI'] === 'true';

/** Bounds against a test that hangs, not expectations about speed. */
const testTimeoutMs = soak ? 3_600_000 : ci ? 450_000 : 180_000;

/** What takes a minute or more with CI=true, most first. By the size of their files, which is vitest's order, some of them would come last, and run alone. */
const longest = [
  'test/mutants/mutants',
  'test/server/resp/fuzz',
  'test/crash/beside.crash',
  'test/alloc/kills',
  'test/pool/interleaved',
  'test/kv/policies',
  'test/model/pool.model',
  'test/crash/pool.crash',
  'test/crash/recovery.crash',
  'test/pool/many-interleaved',
  'test/pool/threads',
  'test/memory/users',
  'test/alloc/neighbours',
  'test/pool/kill',
  'test/histories/processes',
].map((name) => `/${name}.test.ts`);

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // A process goes on to the next file only where that does not need one of its own: those come first.
    const rank = ({ moduleId, project }: TestSpecification): number => {
      const at = longest.findIndex((name) => moduleId.endsWith(name));
      return at < 0 ? longest.length + (project.config.isolate ? 0 : 1) : at;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

/** By default one core is left over: of two that is half of them. With the counts of CI the longest files wait for others much of the time. */
const workers = ci ? availableParallelism() + 1 : Math.max(2, availableParallelism() - 1);

const alone = filesAlone();

const config: ViteUserConfig = defineConfig({
  plugins: [directImports()],
  test: {
    // Worker threads and kill -9 are part of the subject.
    pool: 'forks',
    maxWorkers: workers,
    sequence: { sequencer: LongestFirst },
    testTimeout: testTimeoutMs,
    hookTimeout: testTimeoutMs,
    globalSetup: ['scripts/vitest-setup.mjs'],
    setupFiles: ['test/support/watched.ts'],
    reporters: ['default', './scripts/vitest-watch.mjs'],
    projects: [
      { extends: true, test: { name: 'alone', include: alone } },
      {
        extends: true,
        test: { name: 'together', isolate: false, include: ['test/**/*.test.ts'], exclude: alone },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'html'],
    },
  },
});

export default config;
