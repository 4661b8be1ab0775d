/** Routes of KServe's inference protocol, version 2, as Triton has them: `/versions/1` of a model is the model. */

import type { ErrorCode } from '../../errors.ts';
import type { Route, Success } from '../http/route.ts';
import { describeModel, describeServer, live, modelReady, ready } from './describe.ts';
import { infer } from './infer.ts';

const errors: readonly ErrorCode[] = [
  'not_found',
  'value_too_large',
  'length_required',
  'unsupported_encoding',
  'request_timeout',
  'unknown_sequence',
  'onnx_missing',
  'engine_failed',
  'engine_model_invalid',
  'engine_prompt_too_long',
  'engine_busy',
  'engine_deadline',
  'engine_worker_lost',
  'engine_closed',
];

export const kserveRoutes: readonly Route[] = [
  get('/v2', 'kserveServer', 'What this server is.', 'KserveServer', [], describeServer),
  {
    ...get('/v2/health/live', 'kserveLive', 'Whether it answers.', 'KserveLive', [], live),
    open: true,
  },
  {
    ...get('/v2/health/ready', 'kserveReady', 'Whether it is ready.', 'KserveReady', [], ready),
    open: true,
  },
  ...modelRoutes('/v2/models/{id}', ''),
  ...modelRoutes('/v2/models/{id}/versions/{part}', 'Version'),
];

/** @param suffix of names of operations */
function modelRoutes(path: string, suffix: string): readonly Route[] {
  const missing: readonly ErrorCode[] = ['not_found'];
  const isReady = 'Whether a model is ready.';
  const headers = ['Inference-Header-Content-Length'];
  const mediaTypes = ['application/octet-stream'];
  const description = 'The outputs; as JSON, or JSON and bytes where bytes are asked for.';
  const made: Success = { status: 200, description, schema: 'InferResponse', mediaTypes, headers };
  return [
    get(
      path,
      `kserveModel${suffix}`,
      'What a model takes and gives.',
      'KserveModel',
      missing,
      describeModel,
    ),
    get(
      `${path}/ready`,
      `kserveModelReady${suffix}`,
      isReady,
      'KserveModelReady',
      missing,
      modelReady,
    ),
    {
      method: 'POST',
      path: `${path}/infer`,
      operation: `infer${suffix}`,
      dialect: 'kserve',
      scope: 'ctx:write',
      summary:
        'Give tensors to a model. Models with state keep it from request to request of a sequence.',
      headers,
      body: 'infer',
      successes: [made],
      errors,
      handle: infer,
    },
  ];
}

function get(
  path: string,
  operation: string,
  summary: string,
  schema: string,
  own: readonly ErrorCode[],
  handle: typeof describeModel,
): Route {
  const successes: readonly Success[] = [{ status: 200, description: 'It is said.', schema }];
  return {
    method: 'GET',
    dialect: 'kserve',
    path,
    operation,
    summary,
    successes,
    errors: own,
    handle,
  };
}
