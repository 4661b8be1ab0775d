/** Handlers of completions: whole, or as a stream of server-sent events. */

import { CenoteError, fail } from '../../errors.ts';
import { systemClock } from '../../base/clock.ts';
import type { Generation, GenerateRequest } from '../../engine/api.ts';
import { readJsonValue } from '../http/body.ts';
import type { RoutedExchange } from '../http/exchange.ts';
import { problemOf } from '../http/problem.ts';
import { show } from '../http/schema.ts';
import { sendJson } from '../http/send.ts';
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
import { EventStream } from './event-stream.ts';
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

/**
 * What fails before the stream has begun is an answer like any other; afterwards the error is the last event. It begins with the first token, or when that has not come for a while.
 */
async function stream(
  exchange: RoutedExchange,
  { dialect, envelope }: AnswerKind,
  generation: Generation,
  includeUsage: boolean,
): Promise<void> {
  const noUsage = includeUsage ? { usage: null } : {};
  const dataOf = (choice: object | undefined, more: object = noUsage): object =>
    chunkJson(dialect, envelope, choice && { ...choice }, { ...more });
  const awake = withoutIdleTimeout(exchange);
  using events = new EventStream(exchange, () => {
    awake();
    return dialect.first && dataOf(dialect.first);
  });
  try {
    for await (const { text } of generation) {
      exchange.reservation?.checkCaller();
      events.begin();
      if (text !== '') await events.write(dataOf(dialect.piece(text)));
    }
    const { finishReason, usage } = await generation.result;
    await events.write(dataOf({ ...dialect.last, finish_reason: finishReason }));
    if (includeUsage) await events.write(dataOf(undefined, usageJson(usage)));
    exchange.res.end('data: [DONE]\n\n');
  } catch (error) {
    if (!exchange.res.headersSent) throw error;
    await endWith(exchange, events, error);
  } finally {
    awake();
  }
}

/** Ends a stream that has begun. */
async function endWith(
  exchange: RoutedExchange,
  events: EventStream,
  error: unknown,
): Promise<void> {
  if (!(error instanceof CenoteError)) exchange.service.onError(error);
  await events.write(openAiErrorOf(problemOf(error).problem));
  exchange.res.end();
}
