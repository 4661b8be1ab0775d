/** Records on a file system that fails, takes less than it is given, or loses its power: the old text or the new, always whole. */

import type * as FilePromises from 'node:fs/promises';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { replaceFile } from '../../src/guard/durable-file.ts';
import { Disk } from '../power/support/disk.ts';
import type { LogRecord } from '../power/support/log.ts';
import { faults, resetFaults } from '../support/faulty-files.ts';
import { rounds, seed } from '../support/seed.ts';

vi.mock('node:fs/promises', async (original) => {
  const { faultyFiles } = await import('../support/faulty-files.ts');
  return faultyFiles(await original<typeof FilePromises>());
});

const texts = ['old '.repeat(3000), 'new '.repeat(5000)] as const;
let folder: string;
let path: string;

beforeEach(async () => {
  resetFaults();
  folder = mkdtempSync(join(tmpdir(), 'cenote-durable-'));
  path = join(folder, 'keys.json');
  await replaceFile(path, texts[0]);
  faults.calls = 0;
});

afterEach(() => {
  resetFaults();
  rmSync(folder, { recursive: true, force: true });
});

it.each(['ENOSPC', 'EIO'])('are whole whichever call fails with %s', async (code) => {
  let failures = 0;
  for (const forever of [false, true]) {
    for (let n = 1; ; n++) {
      Object.assign(faults, { calls: 0, failAt: n, code, forever });
      const error = await replaceFile(path, texts[1]).then(() => undefined, String);
      faults.failAt = Infinity;
      expect(texts).toContain(readFileSync(path, 'utf8'));
      if (error === undefined) break;
      failures++;
      expect(error).toContain(`Could not write ${path}: ${code}`);
      expect(readdirSync(folder)).toEqual(['keys.json']);
      await replaceFile(path, texts[0]);
    }
  }
  process.stdout.write(`  ${failures} failures with ${code}\n`);
  expect(failures).toBeGreaterThan(8);
});

it('are whole though little is written at a time', async () => {
  faults.writeMostBytes = 1000;
  await replaceFile(path, texts[1]);
  expect(readFileSync(path, 'utf8')).toBe(texts[1]);
});

it.each(['journal', 'loose'] as const)(
  'are whole when the power fails, and the new one when it was promised: %s names',
  async (names) => {
    await replaceFile(path, texts[1]);
    const records: readonly LogRecord[] = faults.records;
    const random = new Random(seed());
    const seen = new Set<string | undefined>();
    for (let round = 0; round < rounds(300, 3000); round++) {
      const disk = new Disk(folder, names);
      const point = random.below(records.length + 1);
      for (const record of records.slice(0, point)) disk.apply(record);
      const text = disk.lose(random).get('keys.json')?.toString();
      expect([undefined, ...texts]).toContain(text);
      seen.add(text);
      // The first text was promised before anything of the second was done.
      if (point > records.length / 2) expect(text).toBeDefined();
      if (point === records.length) expect(text).toBe(texts[1]);
    }
    expect(seen.size).toBe(3);
  },
);
