import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readMarkdown } from '../support/markdown.ts';
import { runToEnd } from '../support/children.ts';

const root = process.cwd();

/** Folders of the project that hold documents; the root itself is read without its subfolders. */
const folders = ['docs', 'src', 'bench', 'test', 'examples', 'deploy', 'models', 'dashboard'];

function markdownFiles(): string[] {
  const below = folders
    .filter((folder) => existsSync(path.join(root, folder)))
    .flatMap((folder) =>
      readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
        path.join(folder, file),
      ),
    );
  return [...readdirSync(root), ...below].filter(
    (file) => file.endsWith('.md') && !file.includes('node_modules'),
  );
}

/** Targets of links and images that are in this project. */
function localTargets(prose: string): string[] {
  const targets = [...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g)].map(
    (match) => match[1] ?? '',
  );
  return targets.filter((target) => !/^[a-z][a-z+.-]*:/i.test(target));
}

describe.each(markdownFiles())('%s', (file) => {
  const { blocks, prose } = readMarkdown(path.join(root, file));
  let scratch: string;

  beforeAll(() => {
    scratch = mkdtempSync(path.join(os.tmpdir(), 'cenote-markdown-'));
  });

  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  test('links lead somewhere', () => {
    for (const target of localTargets(prose)) {
      const [file_ = '', anchor] = decodeURIComponent(target).split('#', 2);
      const linked = file_ === '' ? file : path.join(path.dirname(file), file_);
      expect(existsSync(path.join(root, linked)), `${target}: no such file`).toBe(true);
      if (anchor === undefined || !linked.endsWith('.md')) continue;
      const { anchors } = readMarkdown(path.join(root, linked));
      expect(anchors.has(anchor), `${target}: no such heading`).toBe(true);
    }
  });

  test('code blocks parse', () => {
    for (const { language, code, line } of blocks) {
      const complaint = complaintOf(language, code, path.join(scratch, `line-${line}`));
      expect(complaint, `${file}:${line}`).toBe('');
    }
  });
});

/** What the parser of the language says against the code; '' when nothing, or when there is no parser for it. */
function complaintOf(language: string, code: string, stem: string): string {
  if (language === 'js') {
    writeFileSync(`${stem}.mjs`, code);
    return complaintFrom(process.execPath, ['--check', `${stem}.mjs`]);
  }
  if (language === 'ts') {
    writeFileSync(`${stem}.ts`, code);
    const oxfmt = path.join(root, 'node_modules', '.bin', 'oxfmt');
    // Status 1 says that it would be formatted in another way, which is not the question.
    return complaintFrom(oxfmt, ['--list-different', `${stem}.ts`], 1);
  }
  if (language === 'sh' || language === 'bash') {
    writeFileSync(`${stem}.sh`, code);
    return complaintFrom('bash', ['-n', `${stem}.sh`]);
  }
  if (language === 'json') {
    try {
      JSON.parse(code);
    } catch (error) {
      return String(error);
    }
  }
  return '';
}

/** What a command writes to stderr when its status is above `statusMax`; otherwise ''. */
function complaintFrom(command: string, args: readonly string[], statusMax = 0): string {
  const { status, stderr } = runToEnd(command, args);
  return status !== null && status <= statusMax ? '' : stderr || `${command} failed`;
}
