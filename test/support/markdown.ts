/** What tests need to know of a Markdown file. */

import { readFileSync } from 'node:fs';

export interface CodeBlock {
  /** The first word after the opening fence, or ''. */
  readonly language: string;
  readonly code: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
}

export interface MarkdownFile {
  readonly blocks: readonly CodeBlock[];
  /** The text outside code blocks and code spans. */
  readonly prose: string;
  /** Anchors that headings make, as GitHub does. */
  readonly anchors: ReadonlySet<string>;
}

/** Reads a Markdown file line by line: fences open with three or more backticks or tildes and close with the same. */
export function readMarkdown(path: string): MarkdownFile {
  const blocks: CodeBlock[] = [];
  const prose: string[] = [];
  let open: { fence: string; language: string; line: number; code: string[] } | undefined;
  for (const [index, line] of readFileSync(path, 'utf8').split('\n').entries()) {
    const fence = /^\s*(`{3,}|~{3,})\s*([\w-]*)/.exec(line);
    if (open !== undefined) {
      if (line.trim() === open.fence) {
        blocks.push({ language: open.language, code: open.code.join('\n'), line: open.line });
        open = undefined;
      } else open.code.push(line);
    } else if (fence !== null) {
      const [, marks = '', language = ''] = fence;
      open = { fence: marks, language, line: index + 1, code: [] };
    } else prose.push(line);
  }
  if (open !== undefined) throw new Error(`${path}:${open.line}: this code block never ends`);
  return {
    blocks,
    prose: prose.join('\n').replaceAll(/`[^`\n]*`/g, '``'),
    anchors: anchorsOf(prose),
  };
}

/** GitHub's anchors: lower case, punctuation dropped, spaces to hyphens, repeated ones numbered. */
function anchorsOf(prose: readonly string[]): Set<string> {
  const anchors = new Set<string>();
  for (const line of prose) {
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const base = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-');
    let anchor = base;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${base}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}
