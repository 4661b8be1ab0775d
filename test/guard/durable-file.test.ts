import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { readFile, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, it } from 'vitest';

import { systemClock } from '../../src/base/clock.ts';
import { DataFolder } from '../../src/guard/data-folder.ts';
import { locked, readIfThere, replaceFile } from '../../src/guard/durable-file.ts';
import { freshFolder, codeOf } from './support/guards.ts';

it('replaces files whole, and leaves no drafts', async () => {
  const folder = await freshFolder();
  const path = join(folder, 'file');
  expect(await readIfThere(path)).toBeUndefined();
  await Promise.all(['one', 'two', 'three'].map((text) => replaceFile(path, text.repeat(10_000))));
  expect(await readFile(path, 'utf8')).toMatch(/^(one|two|three)\1{9999}$/);
  expect(readdirSync(folder)).toEqual(['file']);
  expect(await codeOf(() => replaceFile(join(folder, 'no', 'file'), 'x'))).toBe('io_failed');
  expect(await codeOf(() => readIfThere(join(path, 'file')))).toBe('io_failed');
});

it('gives the lock to one at a time, and back whatever happens', async () => {
  const lock = join(await freshFolder(), '.lock');
  let inside = 0;
  const work = async (): Promise<void> => {
    inside++;
    expect(inside).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
    throw new Error('no luck');
  };
  const all = Array.from({ length: 10 }, () => locked(lock, systemClock, work));
  for (const { status } of await Promise.allSettled(all)) expect(status).toBe('rejected');
  expect(await locked(lock, systemClock, () => Promise.resolve(7))).toBe(7);
});

it('takes the lock of one who died', async () => {
  const lock = join(await freshFolder(), '.lock');
  await writeFile(lock, '');
  const longAgo = Date.now() / 1000 - 60;
  await utimes(lock, longAgo, longAgo);
  let inside = 0;
  const work = async (): Promise<void> => {
    inside++;
    expect(inside).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };
  await Promise.all(Array.from({ length: 12 }, () => locked(lock, systemClock, work)));
  expect(readdirSync(dirname(lock))).toEqual([]);
});

it('keeps what several processes write at once', async () => {
  const folder = await freshFolder();
  const program = fileURLToPath(new URL('../../bin/cenote.js', import.meta.url));
  const words = ['keys', 'create', '--data', folder, '--json'];
  const children = Array.from({ length: 6 }, () =>
    fork(program, words, { silent: true, execArgv: [] }),
  );
  const ends = await Promise.all(children.map((child) => once(child, 'exit')));
  expect(ends.map(([code]) => code as number)).toEqual([0, 0, 0, 0, 0, 0]);
  const { keys } = await new DataFolder(folder).read();
  expect(keys?.length).toBe(6);
  expect(readdirSync(folder)).toEqual(['keys.json']);
});

it('gives the lock to those of one process in the order in which they came', async () => {
  const lock = join(await freshFolder(), '.lock');
  const order: string[] = [];
  const take = (name: string): Promise<unknown> =>
    locked(lock, systemClock, async () => order.push(name));
  let second: Promise<unknown> | undefined;
  await locked(lock, systemClock, async () => {
    second = take('second');
    // It finds the lock taken.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  });
  await Promise.all([take('third'), take('fourth'), second]);
  expect(order).toEqual(['second', 'third', 'fourth']);
});
