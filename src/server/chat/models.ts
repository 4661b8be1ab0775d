/** Which models there are. */

import type { LlamaEngine } from '../../engine/api.ts';
import { fail } from '../../errors.ts';
import type { RoutedExchange, Service } from '../http/exchange.ts';
import { show } from '../http/schema.ts';
import { sendJson } from '../http/send.ts';
import { modelJson } from './answers.ts';

/** @throws engine_missing where the server was started without a model */
export function engineOf({ service }: RoutedExchange): LlamaEngine {
  return service.engine ?? fail('engine_missing', 'This server was started without a model.');
}

function modelsOf({ engine, embedder, startedMs }: Service): ReturnType<typeof modelJson>[] {
  const createdSeconds = Math.floor(startedMs / 1000);
  const embedding = embedder && {
    name: embedder.name,
    description: embedder.description,
    contextTokens: embedder.tokensMax,
  };
  const models = [...(engine?.models() ?? []), ...(embedding === undefined ? [] : [embedding])];
  return models.map((model) => modelJson(model, createdSeconds));
}

export function listModels(exchange: RoutedExchange): void {
  sendJson(exchange, 200, { object: 'list', data: modelsOf(exchange.service) });
}

export function describeModel(exchange: RoutedExchange): void {
  const { id, service } = exchange;
  const model = modelsOf(service).find((candidate) => candidate['id'] === id);
  if (model === undefined) fail('not_found', `There is no model ${show(id)} here.`);
  sendJson(exchange, 200, model);
}
