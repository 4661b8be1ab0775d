import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Scratch, runNode } from '../cli/support/cli.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = join(root, 'examples', 'conversations', 'main.js');
const dataFolder = process.env['CENOTE_DATA'] ?? join(root, '..', 'shared', 'data');
const published = join(dataFolder, 'hh_rlhf_harmless_test.jsonl.gz');

interface Summary {
  readonly source: string;
  readonly dialogues: number;
  readonly turns: number;
  readonly tokens: number;
  readonly bytes: number;
  readonly written: { readonly requests: number };
  readonly read: { readonly requests: number };
}

async function conversations(folder: string, ...words: string[]): Promise<Summary> {
  const { code, stdout, stderr } = await runNode([program, '--json', ...words], {
    CENOTE_DATA: folder,
  });
  // The output of a failed run says why; that of a good one must not hold an error.
  expect({ code, errors: /^error.*/m.exec(stderr) }).toEqual({ code: 0, errors: null });
  return JSON.parse(stdout) as Summary;
}

describe('examples/conversations', () => {
  it('brings all 2,312 published dialogues through a restart', async (context) => {
    if (!existsSync(published)) {
      context.skip(`no ${published}: download it as examples/conversations/README.md says`);
    }
    expect(await conversations(dataFolder)).toMatchObject({
      source: published,
      dialogues: 2312,
      turns: 11_520,
      tokens: 349_724,
      bytes: 1_398_896,
      written: { requests: 11_520 },
      read: { requests: 2312 },
    });
  });

  it('uses dialogues of its own where the published ones are absent, and says so', async () => {
    using scratch = new Scratch();
    const summary = await conversations(scratch.path);
    expect(summary.source).toContain('a few dialogues of our own');
    expect(summary).toMatchObject({
      dialogues: 12,
      turns: 42,
      written: { requests: 42 },
      read: { requests: 12 },
    });
    expect(await conversations(scratch.path, '--dialogues', '3')).toMatchObject({ dialogues: 3 });
  });

  it('says what it takes', async () => {
    const help = await runNode([program, '--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('--dialogues N');
    for (const words of [
      ['--dialogue', '3'],
      ['--dialogues', '0'],
      ['--dialogues', '1.5'],
      ['3'],
    ]) {
      const wrong = await runNode([program, ...words]);
      expect(wrong).toMatchObject({ code: 2, stdout: '' });
      expect(wrong.stderr).toContain('Usage:');
      expect(wrong.stderr).not.toContain('    at ');
    }
  });
});
