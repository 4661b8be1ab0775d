/** Our own files on a disk that loses its power: records that are replaced whole, and snapshots. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { restorePool } from '../../src/pool/snapshot.ts';
import { rounds, seed } from '../support/seed.ts';
import { type Image, writeImage } from './support/disk.ts';
import { type Outage, outages, recordProgram, needsCompiler } from './support/recorded.ts';

const { digestOf } = (await import(new URL('clients/digest.mjs', import.meta.url).href)) as {
  digestOf: (pool: Pool) => string;
};

needsCompiler();

describe('records', () => {
  const program = new URL('clients/records-writer.mjs', import.meta.url);
  const replacements = 20;
  const names = ['keys.json', 'tenants.json'];

  /** What is wrong with a file: it is to be that of the last round that was promised, or of one after it. */
  function fault({ image, acknowledged, name: outage }: Outage, name: string): string | undefined {
    const promised = acknowledged.filter((text) => text.startsWith(`${name} `)).length;
    const text = image.get(name)?.toString();
    if (text === undefined && promised === 0) return undefined;
    const round = Number(text?.split(' ')[1] ?? 0);
    const isWhole = text === `${name} ${round} `.repeat(100 + round * 37);
    if (isWhole && round >= promised) return undefined;
    return `${outage}: ${name} promised ${promised}, found ${isWhole ? round : 'a mixture'}`;
  }

  it.each(['journal', 'loose'] as const)(
    'are whole, and none that was promised is lost: %s names',
    (how) => {
      const recording = recordProgram(program, [String(replacements), 'replaceFile']);
      const count = rounds(150, 1500);
      const faults = [...outages(recording, count, seed(), how)].flatMap((outage) =>
        names.flatMap((name) => fault(outage, name) ?? []),
      );
      expect(faults).toEqual([]);
    },
  );

  it('are seen to be lost without syncs', () => {
    const recording = recordProgram(program, [String(replacements), 'unsynced']);
    const faults = [...outages(recording, 100, seed(), 'journal')].flatMap((outage) =>
      names.flatMap((name) => fault(outage, name) ?? []),
    );
    expect(faults.length).toBeGreaterThan(0);
  });
});

describe('snapshots', () => {
  const program = new URL('clients/snapshot-writer.mjs', import.meta.url);

  /** What is in a snapshot; undefined when there is none, or one that is refused. */
  async function digestIn(image: Image, name: string): Promise<string | undefined> {
    const scratch = mkdtempSync(join(tmpdir(), 'cenote-snapshot-'));
    onTestFinished(() => rmSync(scratch, { recursive: true, force: true }));
    writeImage(image, join(scratch, 'disk'));
    try {
      await restorePool(join(scratch, 'disk', name), join(scratch, 'pool'));
      const pool = await openPool({ path: join(scratch, 'pool') });
      const digest = digestOf(pool);
      await pool.close();
      return digest;
    } catch (error) {
      if (hasCode(error, 'not_a_pool') || hasCode(error, 'pool_corrupt')) return undefined;
      throw error;
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }

  it.each(['journal', 'loose'] as const)(
    'are whole or refused, and none that was promised is lost: %s names',
    async (how) => {
      const recording = recordProgram(program, ['3'], true);
      const found = { whole: 0, refused: 0 };
      for (const { image, acknowledged, name: outage } of outages(
        recording,
        rounds(4, 60),
        seed(),
        how,
      )) {
        for (const begins of acknowledged.filter((text) => text.startsWith('begins'))) {
          const [, name = '', expected = ''] = begins.split(' ');
          const digest = await digestIn(image, name);
          const isPromised = acknowledged.includes(`ends ${name}`);
          if (digest === undefined) found.refused++;
          else found.whole++;
          if (isPromised || digest !== undefined)
            expect(digest, `${name}, ${outage}`).toBe(expected);
        }
      }
      expect(found.whole).toBeGreaterThan(0);
    },
  );
});
