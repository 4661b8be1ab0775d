/** The OpenAPI 3.1 document of a route table. */

import { errorTable, type ErrorCode } from '../../errors.ts';
import { chatSchemas } from '../chat/schemas.ts';
import { kserveSchemas } from '../kserve/schemas.ts';
import { batchType } from './batch-parser.ts';
import { answerSchemas, refTo, type JsonSchema } from './openapi-schemas.ts';
import { problemType } from './problem.ts';
import type { Dialect, Method, Route, Success } from './route.ts';
import { nameSchema } from './schema.ts';

/** Version of the HTTP interface: its first number is the `/v1` of the paths. */
const apiVersion = '1.0.0';

/** Errors that every route may give … */
const anyRoute: readonly ErrorCode[] = [
  'invalid_argument',
  'forbidden',
  'uri_too_long',
  'headers_too_large',
  'shutting_down',
  'overloaded',
  'pool_closed',
  'pool_busy',
];

/** … every route that needs a key … */
const keyedRoute: readonly ErrorCode[] = ['unauthorized', 'rate_limited', 'budget_exceeded'];

/** … and every one for which the pool of a tenant may have to be opened. */
const pooledRoute: readonly ErrorCode[] = ['memory_unavailable', 'pool_corrupt', 'io_failed'];

const headerDescriptions: Readonly<Record<string, string>> = {
  'If-Match': 'Only if the part has one of these versions; *: only if there is one.',
  'If-None-Match': 'Only if the part has none of these versions; *: only if there is none.',
  Range: 'One range: bytes=FIRST-LAST, bytes=FIRST- or bytes=-COUNT.',
  'If-Range': 'Range applies only to this version.',
  ETag: 'The version, quoted.',
  'Content-Range': 'bytes FIRST-LAST/SIZE',
  'Accept-Ranges': 'bytes',
  'Inference-Header-Content-Length':
    'Where the JSON ends and bytes of tensors begin; without it there is JSON only.',
  'X-Cenote-Kind': 'Kind of the part.',
  'X-Cenote-Type': 'Element type of the part.',
  'X-Cenote-Version': 'Version of the part.',
};

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: JsonSchema;
  readonly servers: readonly JsonSchema[];
  readonly security: readonly JsonSchema[];
  readonly paths: Readonly<Record<string, Partial<Record<Lowercase<Method>, JsonSchema>>>>;
  readonly components: JsonSchema;
}

export function openApiOf(routes: readonly Route[]): OpenApiDocument {
  const paths: Record<string, Partial<Record<Lowercase<Method>, JsonSchema>>> = {};
  for (const route of routes) {
    const method = route.method.toLowerCase() as Lowercase<Method>;
    paths[route.path] = { ...paths[route.path], [method]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Cenote',
      version: apiVersion,
      summary: 'Context memory pools for AI inference.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ key: [] }],
    paths,
    components: {
      schemas: { ...answerSchemas, ...chatSchemas, ...kserveSchemas },
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operationOf(route: Route): JsonSchema {
  return {
    operationId: route.operation,
    summary: route.summary,
    ...(route.open === true && { security: [] }),
    ...(route.scope !== undefined && { security: [{ key: [route.scope] }] }),
    parameters: parametersOf(route),
    ...(route.body !== undefined && { requestBody: bodyOf(route.body) }),
    responses: Object.fromEntries([...successesOf(route), ...errorsOf(route)]),
  };
}

function parametersOf(route: Route): JsonSchema[] {
  const inPath = ['id', 'part'].filter((name) => route.path.includes(`{${name}}`));
  return [
    ...inPath.map((name) => ({ name, in: 'path', required: true, schema: nameSchema })),
    ...(route.query ?? []).map(({ name, schema }) => ({
      name,
      in: 'query',
      schema,
      ...(schema.type === 'array' && { style: 'form', explode: false }),
    })),
    ...(route.headers ?? []).map((name) => ({ name, in: 'header', ...headerOf(name) })),
  ];
}

function bodyOf(body: Exclude<Route['body'], undefined>): JsonSchema {
  if (body === 'bytes') return { required: true, content: { 'application/octet-stream': {} } };
  if (body === 'infer') {
    const content = { ...jsonOf(refTo('InferRequest')), 'application/octet-stream': {} };
    return { required: true, content };
  }
  if (body === 'batch') return { required: true, content: { [batchType]: {} } };
  if ('ref' in body) return { required: true, content: jsonOf(refTo(body.ref)) };
  const required = body.required.length > 0;
  return { required, content: jsonOf(body) };
}

function successesOf(route: Route): [string, JsonSchema][] {
  return route.successes.map((success) => {
    const headers: Record<string, JsonSchema> = {};
    for (const name of success.headers ?? []) headers[name] = headerOf(name);
    return [
      String(success.status),
      {
        description: success.description,
        ...(success.headers !== undefined && { headers }),
        ...contentOf(success),
      },
    ];
  });
}

function contentOf({ schema, mediaTypes }: Success): JsonSchema {
  if (schema === undefined && mediaTypes === undefined) return {};
  const described = schema === undefined ? {} : jsonOf(refTo(schema));
  const others = (mediaTypes ?? []).map((type) => [type, {}]);
  return { content: { ...described, ...Object.fromEntries(others) } };
}

function jsonOf(schema: unknown): JsonSchema {
  return { 'application/json': { schema } };
}

/** One response per status, which names the codes that it stands for. */
function errorsOf(route: Route): [string, JsonSchema][] {
  const keyed = route.open === true ? [] : keyedRoute;
  const pooled = route.pool === true ? pooledRoute : [];
  const coded = [...anyRoute, ...keyed, ...pooled, ...route.errors].map((code) => ({
    code,
    status: errorTable[code].httpStatus,
  }));
  const all = [...coded, { code: 'internal', status: 500 }];
  const content =
    route.dialect === undefined
      ? { [problemType]: { schema: refTo('Problem') } }
      : jsonOf(refTo(errorSchemas[route.dialect]));
  return [...new Set(all.map(({ status }) => status))].map((status) => {
    const same = all.filter((error) => error.status === status).map(({ code }) => code);
    return [String(status), { description: same.join(', '), content }];
  });
}

const errorSchemas: Readonly<Record<Dialect, string>> = {
  openai: 'OpenAiError',
  kserve: 'KserveError',
};

function headerOf(name: string): JsonSchema {
  return { description: headerDescriptions[name] ?? name, schema: { type: 'string' } };
}
