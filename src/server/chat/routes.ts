/** Routes in the shape of OpenAI's API, so that its clients need nothing but another address. */

import type { ErrorCode } from '../../errors.ts';
import type { PlainRoute, Route, Success } from '../http/route.ts';
import { completeChat, completeText } from './complete.ts';
import { embed } from './embed.ts';
import { describeModel, listModels } from './models.ts';

const errors: readonly ErrorCode[] = [
  'not_found',
  'value_too_large',
  'length_required',
  'unsupported_encoding',
  'request_timeout',
  'engine_missing',
  'engine_failed',
  'engine_prompt_too_long',
  'engine_busy',
  'engine_deadline',
  'engine_worker_lost',
  'engine_closed',
];

function answers(schema: string): readonly Success[] {
  const description = 'The answer; with stream: true pieces of it as server-sent events.';
  return [{ status: 200, description, schema, mediaTypes: ['text/event-stream'] }];
}

export const chatRoutes: readonly Route[] = [
  completion({
    path: '/v1/chat/completions',
    operation: 'completeChat',
    summary: 'Answer a conversation. What was computed for it before is found again.',
    body: { ref: 'ChatCompletionRequest' },
    successes: answers('ChatCompletion'),
    handle: completeChat,
  }),
  completion({
    path: '/v1/completions',
    operation: 'completeText',
    summary: 'Go on from a text, or from tokens.',
    body: { ref: 'CompletionRequest' },
    successes: answers('Completion'),
    handle: completeText,
  }),
  {
    method: 'POST',
    path: '/v1/embeddings',
    operation: 'embed',
    dialect: 'openai',
    scope: 'ctx:write',
    summary: 'Vectors of texts. Those that were asked for before are kept in the pool.',
    body: { ref: 'EmbeddingRequest' },
    successes: [{ status: 200, description: 'A vector per input.', schema: 'Embeddings' }],
    errors: [...errors, 'onnx_missing', 'engine_model_invalid'],
    handle: embed,
  },
  {
    method: 'GET',
    path: '/v1/models',
    operation: 'listModels',
    dialect: 'openai',
    summary: 'The models that are served.',
    successes: [{ status: 200, description: 'The models.', schema: 'Models' }],
    errors: [],
    handle: listModels,
  },
  {
    method: 'GET',
    path: '/v1/models/{id}',
    operation: 'describeModel',
    dialect: 'openai',
    summary: 'A model by its name.',
    successes: [{ status: 200, description: 'The model.', schema: 'Model' }],
    errors: ['not_found'],
    handle: describeModel,
  },
];

function completion(
  route: Pick<PlainRoute, 'path' | 'operation' | 'summary' | 'successes' | 'handle'> & {
    readonly body: { readonly ref: string };
  },
): Route {
  return { ...route, method: 'POST', dialect: 'openai', scope: 'ctx:write', errors };
}
