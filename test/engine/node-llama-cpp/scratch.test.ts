/** Files that nobody else reads, and of which nothing is left. */

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import {
  removeLeftovers,
  ScratchError,
  withScratch,
} from '../../../src/engine/node-llama-cpp/scratch.ts';
import { codeOf } from '../support/models.ts';

function folders(count: number): string[] {
  return Array.from({ length: count }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'cenote-scratch-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  });
}

it('are for this user only, and removed', async () => {
  const [folder] = folders(1) as [string];
  const result = await withScratch([folder], ['a', 'b'], (one, two) => {
    expect(statSync(join(one, '..')).mode & 0o777).toBe(0o700);
    expect(statSync(one).mode & 0o777).toBe(0o600);
    writeFileSync(two, 'x');
    return Promise.resolve(7);
  });
  expect(result).toBe(7);
  expect(readdirSync(folder)).toEqual([]);
});

it('are removed when it fails, and in no other folder', async () => {
  const both = folders(2);
  const failing = withScratch(both, ['a'], () => Promise.reject(new RangeError('no')));
  await expect(failing).rejects.toThrow(RangeError);
  expect(both.flatMap((folder) => readdirSync(folder))).toEqual([]);
});

it('are in the next folder where there is no room, and where there is none an error says so', async () => {
  const both = folders(2);
  const tried: string[] = [];
  const full = (path: string): Promise<never> => {
    tried.push(join(path, '..', '..'));
    return Promise.reject(new ScratchError('full'));
  };
  const failing = withScratch(both, ['a'], full);
  expect(await codeOf(failing)).toBe('io_failed');
  expect(tried).toEqual(both);
  expect(both.flatMap((folder) => readdirSync(folder))).toEqual([]);
});

it('that a killed process has left are removed after an hour, and nothing else', async () => {
  const [folder] = folders(1) as [string];
  const nowMs = 10_000_000;
  const ages: Record<string, number> = {
    'cenote-state-old': 3_600_000,
    'cenote-state-young': 3_599_000,
    'other-old': 9_000_000,
  };
  for (const [name, ageMs] of Object.entries(ages)) {
    const path = join(folder, name);
    mkdirSync(path);
    writeFileSync(join(path, 'state'), 'x');
    utimesSync(path, new Date(nowMs - ageMs), new Date(nowMs - ageMs));
  }
  await removeLeftovers(folder, nowMs);
  expect(readdirSync(folder).toSorted()).toEqual(['cenote-state-young', 'other-old']);
  await removeLeftovers(join(folder, 'absent'), nowMs);
});
