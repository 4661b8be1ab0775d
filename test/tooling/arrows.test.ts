import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runToEnd } from '../support/children.ts';

/** The arrows hold because lint says so: a small project with the same rules and one file per case. */

const root = process.cwd();
let folder: string;

const rows = [
  ['errors.ts', "import { readFileSync } from 'node:fs';", false],
  ['base/a.ts', "import { fail } from '../errors.ts';", true],
  ['base/b.ts', "import { alloc } from '../alloc/api.ts';", false],
  ['memory/a.ts', "import { crc32 } from '../base/checksum.ts';", true],
  ['memory/b.ts', "import type { Kind } from '../alloc/kind.ts';", false],
  ['memory/c.ts', "import koffi from 'koffi';", false],
  ['memory/os.ts', "import koffi from 'koffi';", true],
  ['memory/d.ts', 'export const word = Atomics.load(new Int32Array(1), 0);', false],
  ['store/a.ts', "import { BlockPool } from '../kv/blocks.ts';", false],
  ['store/b.ts', "export { open } from '../pool/open.ts';", false],
  ['store/c.ts', "const pool = await import('../pool/open.ts');", false],
  ['store/d.ts', 'export const startedMs = Date.now();', false],
  ['store/e.ts', "import { openPool } from '../index.ts';", false],
  ['store/f.ts', "import { openPool } from 'cenote';", false],
  ['codec/a.ts', "import { Disk } from '../tier/disk.ts';", false],
  ['tier/a.ts', "import { Store } from '../store/store.ts';", true],
  ['tier/b.ts', "import { Tiers } from '../pool/tiers.ts';", false],
  ['pool/a.ts', "import { Disk } from '../tier/disk.ts';", true],
  ['engine/a.ts', "import { openPool } from '../pool/open.ts';", true],
  ['engine/b.ts', "import { chat } from '../server/chat.ts';", false],
  ['engine/llama/context.ts', "import koffi from 'koffi';", false],
  ['engine/llama/foreign.ts', "import koffi from 'koffi';", true],
  ['server/http/a.ts', "import { openPool } from '../../pool/open.ts';", true],
  ['server/http/b.ts', "import { main } from '../../cli/main.ts';", false],
  ['server/http/c.ts', "import { start } from '../index.ts';", true],
  ['cli/a.ts', "import { serve } from '../server/index.ts';", true],
  ['index.ts', "import { openPool } from './pool/open.ts';", true],
] as const;

/** Rules that speak about the arrows; the small files break others on purpose. */
const ruleNames = /no-restricted-(imports|globals|properties)/;

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'cenote-arrows-'));
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  cpSync(path.join(root, 'oxlint.config.mjs'), path.join(folder, 'oxlint.config.mjs'));
  cpSync(path.join(root, 'tsconfig.json'), path.join(folder, 'tsconfig.json'));
  for (const [file, source] of rows) {
    const target = path.join(folder, 'src', file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, `${source}\n`);
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('an import against the arrows is a lint error, one along them is not', () => {
  const oxlint = path.join(root, 'node_modules', '.bin', 'oxlint');
  const args = ['--config', 'oxlint.config.mjs', '--format', 'unix', 'src'];
  const { stdout, status } = runToEnd(oxlint, args, { cwd: folder });
  expect(status).toBe(1);
  const refused = new Set(
    stdout
      .split('\n')
      .filter((line) => ruleNames.test(line))
      .map((line) => line.slice('src/'.length, line.indexOf(':'))),
  );
  for (const [file, source, isAllowed] of rows) {
    expect(refused.has(file), `${file}: ${source}`).toBe(!isAllowed);
  }
});
