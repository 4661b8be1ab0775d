/**
 * Which test files need a process of their own. To start one, and to load our modules in it, takes longer than most files run; those that put another
 * module in the place of ours (`vi.mock` or `vi.resetModules`, themselves or what they import of test/) would find it loaded, and would leave theirs to the next file; what a
 * module does before or after tests (`afterAll`) it does for the file that has loaded it alone; and who measures what a process takes of memory or
 * descriptors would count what others have left.
 */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const ours = /^(?:import|export) [^;]*? from '(\.[^']*\.ts)';$/gm;
const replaces = /^\s*vi\.(?:mock|resetModules)\(/m;
const setsUp = /^(?:before|after)(?:All|Each)\(/m;
/** What a process has at all. */
const measures = /process\.memoryUsage|\/proc\/self\/|expose-gc/;

const known = new Map<string, boolean>();

function isAlone(file: string): boolean {
  const found = known.get(file);
  if (found !== undefined) return found;
  known.set(file, false);
  const text = readFileSync(file, 'utf8');
  const imported = [...text.matchAll(ours)].map(([, name]) =>
    path.join(path.dirname(file), name as string),
  );
  const result =
    replaces.test(text) ||
    (file.endsWith('.test.ts') ? measures : setsUp).test(text) ||
    imported.some((name) => name.startsWith('test/') && isAlone(name));
  known.set(file, result);
  return result;
}

/** Their paths, as vitest's `include` takes them. */
export function filesAlone(): string[] {
  const names = readdirSync('test', { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.test.ts'));
  return files.map((name) => path.join('test', name)).filter(isAlone);
}
