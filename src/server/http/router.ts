/** Finds the route of a request. */

import { fail } from '../../errors.ts';
import { Refusal } from './problem.ts';
import { decodeSegment } from './query.ts';
import type { Route } from './route.ts';
import { show } from './schema.ts';

export interface Match {
  readonly route: Route;
  readonly id: string;
  readonly part: string;
}

interface Pattern {
  /** Literal segments; undefined where a name stands. */
  readonly literals: readonly (string | undefined)[];
  readonly idAt: number;
  readonly partAt: number;
  readonly byMethod: ReadonlyMap<string, Route>;
  readonly dialect: Route['dialect'];
}

export class Router {
  readonly #patterns: readonly Pattern[];
  readonly #open: ReadonlySet<string>;

  constructor(routes: readonly Route[]) {
    const paths = [...new Set(routes.map((route) => route.path))];
    this.#patterns = paths.map((path) => {
      const segments = path.split('/').slice(1);
      const same = routes.filter((route) => route.path === path);
      return {
        literals: segments.map((text) => (text.startsWith('{') ? undefined : text)),
        idAt: segments.indexOf('{id}'),
        partAt: segments.indexOf('{part}'),
        byMethod: new Map(same.map((route) => [route.method, route])),
        dialect: same[0]?.dialect,
      };
    });
    this.#open = new Set(routes.filter((route) => route.open).map((route) => route.path));
  }

  /** True for paths that need no credential. */
  isOpen(path: string): boolean {
    return this.#open.has(path);
  }

  /** How errors of a path are told. */
  dialectOf(path: string): Route['dialect'] {
    return this.#patternOf(path)?.dialect;
  }

  /** @throws not_found, method_not_allowed (with Allow), invalid_argument for malformed names */
  find(method: string, path: string): Match {
    const segments = path.split('/').slice(1);
    const pattern = this.#patternOf(path);
    if (pattern === undefined || !path.startsWith('/')) {
      return fail('not_found', `There is no ${show(path)} here; /openapi.json says what there is.`);
    }
    const { byMethod, idAt, partAt } = pattern;
    const route = byMethod.get(method) ?? (method === 'HEAD' ? byMethod.get('GET') : undefined);
    if (route === undefined) {
      const allowed = [...byMethod.keys()].join(', ');
      throw new Refusal('method_not_allowed', `${method} is not possible here; ${allowed} is.`, {
        Allow: allowed,
      });
    }
    const id = idAt < 0 ? '' : decodeSegment(segments[idAt] as string, 'The context id');
    const part = partAt < 0 ? '' : decodeSegment(segments[partAt] as string, 'The part name');
    return { route, id, part };
  }

  #patternOf(path: string): Pattern | undefined {
    const segments = path.split('/').slice(1);
    return this.#patterns.find(({ literals }) => fits(literals, segments));
  }
}

function fits(literals: readonly (string | undefined)[], segments: readonly string[]): boolean {
  if (literals.length !== segments.length) return false;
  return literals.every((literal, i) => literal === undefined || literal === segments[i]);
}
