/** Handler of embeddings. */

import { endianness } from 'node:os';
import { fail } from '../../errors.ts';
import { systemClock } from '../../base/clock.ts';
import { readJsonValue } from '../http/body.ts';
import type { RoutedExchange } from '../http/exchange.ts';
import { show } from '../http/schema.ts';
import { sendJson } from '../http/send.ts';
import { whileComputing } from './computing.ts';
import { readEmbeddingRequest } from './embedding-request.ts';

export async function embed(exchange: RoutedExchange): Promise<void> {
  const { caller, service } = exchange;
  const embedder =
    service.embedder ?? fail('onnx_missing', 'This server was started without an embedding model.');
  const body = await readJsonValue(exchange, service.limits.maxEmbeddingBytes);
  const request = readEmbeddingRequest(body, embedder.inputsMax);
  const { model, inputs, encoding, dimensions, truncateTokens } = request;
  if (model !== embedder.name)
    fail('not_found', `There is no model ${show(model)} here; ${embedder.name} is.`);
  if (dimensions !== undefined && dimensions !== embedder.width)
    fail('invalid_argument', `The model makes ${embedder.width} dimensions; got ${dimensions}.`);
  const most = truncateTokens === -1 ? embedder.tokensMax : truncateTokens;
  const { vectors, promptTokens, cached } = await whileComputing(exchange, (signal) =>
    embedder.embed(inputs, {
      tenant: caller?.tenantIdentity ?? '',
      deadlineMs: systemClock.nowMs() + service.limits.completionTimeoutMs,
      signal,
      ...(most !== undefined && { truncateTokens: most }),
    }),
  );
  const data = vectors.map((vector, index) => ({
    object: 'embedding',
    index,
    embedding: encoding === 'float' ? [...vector] : base64Of(vector),
  }));
  const usage = {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens,
    // Beyond OpenAI's shape: its clients pass over it.
    cached_inputs: cached,
  };
  sendJson(exchange, 200, { object: 'list', model, data, usage });
}

/** Numbers of four bytes, low ones first. */
function base64Of(vector: Float32Array): string {
  const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
  return (endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32()).toString('base64');
}
