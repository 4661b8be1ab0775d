/**
 * Plugin of vitest: what the sources import of memory/words.ts is taken out of that module when they are loaded, once. Where a test puts another in its
 * place (`vi.mock`), vitest answers each use of an import by a proxy, and tests that stop at every memory access make billions of them: this halves what
 * they take.
 */

import type { Plugin } from 'vitest/config';

const imports = /^import \{([^{}]*)\} from ('[^']*\/words\.ts');$/gm;

/** Lines stay where they are. */
function taken(names: string, from: string): string {
  const values = names.split(',').filter((name) => !/^\s*type /.test(name));
  const pattern = values.join(',').replaceAll(' as ', ': ');
  return `import * as takenWords from ${from}; const {${pattern}} = takenWords;`;
}

export function directWords(): Plugin {
  return {
    name: 'cenote:direct-words',
    enforce: 'pre',
    transform(code, id) {
      if (!/\/src\/.+\.ts$/.test(id)) return undefined;
      return code.replaceAll(imports, (_, names: string, from: string) => taken(names, from));
    },
  };
}
