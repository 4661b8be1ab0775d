/** What a route is: how it is matched, what it takes, what it answers, and who handles it. */

import type { ErrorCode } from '../../errors.ts';
import type { Scope } from '../../guard/api.ts';
import type { Handler, PoolHandler } from './exchange.ts';
import type { QueryParameter } from './query.ts';
import type { ObjectSchema } from './schema.ts';

export const methods = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'] as const;
export type Method = (typeof methods)[number];

/** How errors are told, where it is not as RFC 9457 has it. */
export type Dialect = 'openai' | 'kserve';

/** A successful answer. */
export interface Success {
  readonly status: 200 | 201 | 206 | 304;
  readonly description: string;
  /** Name of a schema of openapi-schemas.ts, and the media types of bodies that have none. */
  readonly schema?: string;
  readonly mediaTypes?: readonly string[];
  readonly headers?: readonly string[];
}

interface RouteTraits {
  readonly method: Method;
  /** Segments; `{id}` and `{part}` match one encoded segment each. */
  readonly path: string;
  readonly operation: string;
  readonly summary: string;
  readonly dialect?: Dialect;
  /** Needs no credential. */
  readonly open?: true;
  /** What the key must be for; absent: any key will do. */
  readonly scope?: Scope;
  readonly query?: readonly QueryParameter[];
  /** Request headers that it heeds. */
  readonly headers?: readonly string[];
  /** `ref`: JSON that the handler checks, by the name of its schema in openapi-schemas.ts. */
  readonly body?: 'bytes' | 'batch' | 'infer' | ObjectSchema | { readonly ref: string };
  readonly successes: readonly Success[];
  /** Beyond those that every route may give. */
  readonly errors: readonly ErrorCode[];
}

/** About what the caller's pool keeps. */
export interface PoolRoute extends RouteTraits {
  readonly pool: true;
  readonly scope: Scope;
  readonly handle: PoolHandler;
}

/** About the server. */
export interface PlainRoute extends RouteTraits {
  readonly pool?: undefined;
  readonly handle: Handler;
}

export type Route = PoolRoute | PlainRoute;
