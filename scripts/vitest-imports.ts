/**
 * Plugin of vitest: what our modules import of each other is taken out of the other module when they are loaded, once. vitest looks up each use of an
 * import instead, by a getter and, where a test puts another module in its place (`vi.mock`), by a proxy: the replay of a trace takes 3.5 times as long
 * by that, and tests that stop at every memory access look up billions of times. Import cycles are none, which lint sees to.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Plugin } from 'vitest/config';

const ours = /\/(src|test|bench)\/.+\.ts$/;
const imports = /^import \{([^{}]*)\} from '(\.[^']*\.ts)';$/gm;

/** By file, the names whose values change: those are looked up. */
const changing = new Map<string, ReadonlySet<string>>();

function changingOf(file: string): ReadonlySet<string> {
  const known = changing.get(file);
  if (known !== undefined) return known;
  const found = readFileSync(file, 'utf8').matchAll(/^export let (\w+)/gm);
  const names = new Set([...found].map(([, name]) => name as string));
  changing.set(file, names);
  return names;
}

/** The imports of one module, the `at`-th of its file. Lines stay where they are. */
function taken(names: string, from: string, file: string, at: number): string {
  const lookedUp = changingOf(path.resolve(path.dirname(file), from));
  const values = names.split(',').filter((name) => !/^\s*(type |$)/.test(name));
  const isLookedUp = (name: string): boolean => lookedUp.has(name.trim().replace(/ as .*/, ''));
  const pattern = values.filter((name) => !isLookedUp(name)).join(',');
  const direct = `const {${pattern.replaceAll(' as ', ': ')}} = taken${at};`;
  const others = `import {${values.filter(isLookedUp).join(',')}} from '${from}';`;
  return `import * as taken${at} from '${from}'; ${others} ${direct}`;
}

export function directImports(): Plugin {
  return {
    name: 'cenote:direct-imports',
    enforce: 'pre',
    transform(code, id) {
      if (!ours.test(id)) return undefined;
      let at = 0;
      return code.replaceAll(imports, (_, names: string, from: string) =>
        taken(names, from, id, at++),
      );
    },
  };
}
