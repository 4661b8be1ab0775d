/**
 * kill -9 of processes that share a mapped pool, at random and again and again, while others are stopped and go on: see kills/main.mjs. As many as
 * `npm run soak -- --kills N` says.
 */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { rounds, seed } from '../support/seed.ts';

const script = fileURLToPath(new URL('kills/main.mjs', import.meta.url));
const kills = Number(process.env['CENOTE_KILLS'] ?? rounds(10, 200));
/** A bound against what hangs; a kill takes a tenth of a second on a machine with nothing else to do. */
const limitMs = 60_000 + 3000 * kills;

/** For what the script says when it is told to end. */
const endingMs = 10_000;

test(
  `of ${kills} owners leaves every block where it was`,
  { timeout: limitMs + endingMs },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cenote-kills-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const options = [script, folder, String(kills), String(seed())];
    const { stdout } = await promisify(execFile)(process.execPath, options, { timeout: limitMs });
    process.stdout.write(stdout);
    const told = JSON.parse(stdout) as Record<string, number>;
    expect(told).toMatchObject({ kills });
    expect(told['comparisons']).toBeGreaterThan(kills / 20);
  },
);
