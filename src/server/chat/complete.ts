/** Handlers of completions: whole, or as a stream of server-sent events. */

import { CenoteError, fail } from '../../errors.ts';
import { systemClock } from '../../base/clock.ts';
import type { Generation, GenerateRequest } from '../../engine/api.ts';
import { readJsonValue } from '../http/body.ts';
import type { RoutedExchange } from '../http/exchange.ts';
import { problemOf } from '../http/problem.ts';
import { show } from '../http/schema.ts';
import { sendHead, sendJson, writeText } from '../http/send.ts';
import {
  chatDialect,
  chunkJson,
  completionJson,
  envelopeOf,
  textDialect,
  usageJson,
  type Dialect,
  type Envelope,
} from './answers.ts';
import { withoutIdleTimeout } from './computing.ts';
import { engineOf } from './models.ts';
import { openAiErrorOf } from './problem.ts';
import { readChatRequest, readCompletionRequest, type CompletionRequest } from './request.ts';

export async function completeChat(exchange: RoutedExchange): Promise<void> {
  const { maxCompletionBytes, maxMessages } = exchange.service.limits;
  const body = await readJsonValue(exchange, maxCompletionBytes);
  await complete(exchange, chatDialect, readChatRequest(body, maxMessages));
}

export async function completeText(exchange: RoutedExchange): Promise<void> {
  const body = await readJsonValue(exchange, exchange.service.limits.maxCompletionBytes);
  await complete(exchange, textDialect, readCompletionRequest(body));
}

async function complete(
  exchange: RoutedExchange,
  dialect: Dialect,
  request: CompletionRequest,
): Promise<void> {
  const { caller, res, service } = exchange;
  const engine = engineOf(exchange);
  if (!engine.models().some(({ name }) => name === request.model)) {
    const names = engine.models().map(({ name }) => name);
    fail('not_found', `There is no model ${show(request.model)} here; ${names.join(', ')} is.`);
  }
  const nowMs = systemClock.nowMs();
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  res.once('close', leave);
  try {
    const generate: GenerateRequest = {
      ...request.generate,
      tenant: caller?.tenantIdentity ?? '',
      deadlineMs: nowMs + service.limits.completionTimeoutMs,
      signal: gone.signal,
    };
    const answer = { dialect, envelope: envelopeOf(dialect, request.model, nowMs) };
    const generation = engine.generate(generate);
    if (request.stream) await stream(exchange, answer, generation, request.includeUsage);
    else await answerWhole(exchange, answer, generation);
  } finally {
    res.off('close', leave);
  }
}

interface AnswerKind {
  readonly dialect: Dialect;
  readonly envelope: Envelope;
}

async function answerWhole(
  exchange: RoutedExchange,
  { dialect, envelope }: AnswerKind,
  generation: Generation,
): Promise<void> {
  const awake = withoutIdleTimeout(exchange);
  const result = await generation.result.finally(awake);
  exchange.reservation?.checkCaller();
  sendJson(exchange, 200, completionJson(dialect, envelope, result));
}

/** What fails before the first token is an answer like any other; afterwards the error is the last event. */
async function stream(
  exchange: RoutedExchange,
  { dialect, envelope }: AnswerKind,
  generation: Generation,
  includeUsage: boolean,
): Promise<void> {
  const noUsage = includeUsage ? { usage: null } : {};
  const write = (choice: object | undefined, more: object = noUsage): Promise<void> =>
    writeEvent(exchange, chunkJson(dialect, envelope, choice && { ...choice }, { ...more }));
  let awake: (() => void) | undefined = withoutIdleTimeout(exchange);
  try {
    for await (const { text } of generation) {
      exchange.reservation?.checkCaller();
      if (awake !== undefined) {
        awake();
        awake = undefined;
        sendHead(exchange, 200, eventHeaders);
        if (dialect.first !== undefined) await write(dialect.first);
      }
      if (text !== '') await write(dialect.piece(text));
    }
    const { finishReason, usage } = await generation.result;
    if (!exchange.res.headersSent) sendHead(exchange, 200, eventHeaders);
    await write({ ...dialect.last, finish_reason: finishReason });
    if (includeUsage) await write(undefined, usageJson(usage));
    exchange.res.end('data: [DONE]\n\n');
  } catch (error) {
    if (!exchange.res.headersSent) throw error;
    await endWith(exchange, error);
  } finally {
    awake?.();
  }
}

const eventHeaders = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store',
  // For proxies that would gather it.
  'X-Accel-Buffering': 'no',
};

function writeEvent(exchange: RoutedExchange, data: object): Promise<void> {
  return writeText(exchange.res, `data: ${JSON.stringify(data)}\n\n`);
}

/** Ends a stream that has begun. */
async function endWith(exchange: RoutedExchange, error: unknown): Promise<void> {
  if (!(error instanceof CenoteError)) exchange.service.onError(error);
  await writeEvent(exchange, openAiErrorOf(problemOf(error).problem));
  exchange.res.end();
}
