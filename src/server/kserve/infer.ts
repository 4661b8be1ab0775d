/** Handler of requests to models. */

import type { InferModel, InferOptions, TensorValue } from '../../engine/onnx/api.ts';
import { fail, hasCode } from '../../errors.ts';
import { systemClock } from '../../base/clock.ts';
import { whileComputing } from '../chat/computing.ts';
import { readBytes } from '../http/body.ts';
import type { RoutedExchange } from '../http/exchange.ts';
import { show } from '../http/schema.ts';
import { sendHead } from '../http/send.ts';
import { jsonOfBytes } from './data.ts';
import { modelOf, modelVersion } from './describe.ts';
import { readInferRequest, type AskedOutput, type InferRequest } from './request.ts';

const lengthHeader = 'Inference-Header-Content-Length';

export async function infer(exchange: RoutedExchange): Promise<void> {
  const { caller, req, service } = exchange;
  const model = modelOf(exchange);
  const headerBytes = headerBytesOf(req.headers[lengthHeader.toLowerCase()]);
  const body = await readBytes(exchange, service.limits.maxInferBytes);
  const request = readInferRequest(body, headerBytes, model);
  const made = await whileComputing(exchange, (signal) =>
    run(model, request, {
      ...request.options,
      tenant: caller?.tenantIdentity ?? '',
      deadlineMs: systemClock.nowMs() + service.limits.completionTimeoutMs,
      signal,
    }),
  );
  send(exchange, model.name, request, made);
}

/** @throws invalid_argument for a sequence that has not begun, in Triton's words */
async function run(
  model: InferModel,
  { inputs }: InferRequest,
  options: InferOptions,
): Promise<readonly TensorValue[]> {
  try {
    return await model.infer(inputs, options);
  } catch (error) {
    if (!hasCode(error, 'unknown_sequence')) throw error;
    const id = options.sequence?.id.replace(/^\w+:/, '') ?? '';
    return fail(
      'invalid_argument',
      `inference request for sequence ${id} to model '${model.name}' must specify the START flag on the first request of the sequence`,
      error,
    );
  }
}

function headerBytesOf(header: string | readonly string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  const text = String(header);
  if (!/^\d{1,10}$/.test(text))
    fail('invalid_argument', `${lengthHeader} is a number of bytes; got ${show(text)}.`);
  return Number(text);
}

function send(
  exchange: RoutedExchange,
  model: string,
  { id, outputs, sequence }: InferRequest,
  made: readonly TensorValue[],
): void {
  const bytes: Uint8Array[] = [];
  const tensors = outputs.map((asked) => {
    const tensor = made.find(({ name }) => name === asked.name);
    if (tensor === undefined) fail('engine_failed', `The model has not made ${asked.name}.`);
    if (asked.isBinary) bytes.push(tensor.data);
    return tensorText(asked, tensor);
  });
  const head = {
    ...(id !== undefined && { id }),
    model_name: model,
    model_version: modelVersion,
    ...(sequence !== undefined && { parameters: sequence }),
  };
  const text = Buffer.from(
    `${JSON.stringify(head).slice(0, -1)},"outputs":[${tensors.join(',')}]}`,
  );
  const body = Buffer.concat([text, ...bytes]);
  const isBinary = bytes.length > 0;
  sendHead(exchange, 200, {
    'Content-Type': isBinary ? 'application/octet-stream' : 'application/json',
    'Content-Length': String(body.length),
    'Cache-Control': 'no-store',
    ...(isBinary && { [lengthHeader]: String(text.length) }),
  });
  exchange.res.end(body);
}

/** As text, since whole numbers of 64 bits have no other way into JSON. */
function tensorText(
  { isBinary }: AskedOutput,
  { name, datatype, shape, data }: TensorValue,
): string {
  const head = JSON.stringify({
    name,
    datatype,
    shape,
    ...(isBinary && { parameters: { binary_data_size: data.length } }),
  });
  return isBinary ? head : `${head.slice(0, -1)},"data":${jsonOfBytes(datatype, data)}}`;
}
