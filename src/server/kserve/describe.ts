/** What this server and its models are, in KServe's words. */

import type { InferModel } from '../../engine/onnx/api.ts';
import { fail } from '../../errors.ts';
import type { RoutedExchange } from '../http/exchange.ts';
import { show } from '../http/schema.ts';
import { sendJson } from '../http/send.ts';

/** The only one that a model has. */
export const modelVersion = '1';

const extensions = ['sequence', 'binary_tensor_data', 'schedule_policy', 'parameters'];

/** @throws not_found */
export function modelOf({ id, part, service }: RoutedExchange): InferModel {
  const model = service.inferModels.get(id);
  if (model === undefined) fail('not_found', `There is no model ${show(id)} here.`);
  if (part !== '' && part !== modelVersion)
    fail(
      'not_found',
      `There is no model ${show(id)} of version ${show(part)} here; ${modelVersion} is.`,
    );
  return model;
}

export function describeServer(exchange: RoutedExchange): void {
  sendJson(exchange, 200, { name: 'cenote', version: '2', extensions });
}

export function live(exchange: RoutedExchange): void {
  sendJson(exchange, 200, { live: true });
}

/** @throws shutting_down */
export function ready(exchange: RoutedExchange): void {
  if (exchange.service.phase !== 'serving') fail('shutting_down', 'The server is shutting down.');
  sendJson(exchange, 200, { ready: true });
}

export function describeModel(exchange: RoutedExchange): void {
  const { name, platform, inputs, outputs } = modelOf(exchange);
  sendJson(exchange, 200, { name, versions: [modelVersion], platform, inputs, outputs });
}

/** A model is opened before the server listens. */
export function modelReady(exchange: RoutedExchange): void {
  sendJson(exchange, 200, { name: modelOf(exchange).name, ready: true });
}
