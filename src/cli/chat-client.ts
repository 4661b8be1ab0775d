/** Asks a server for chat completions, in OpenAI's shape. */

import { errorTable, fail, type ErrorCode } from '../errors.ts';

export interface ChatServer {
  readonly url: string;
  readonly key: string | undefined;
}

export interface ChatTurn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface ChatAsked {
  readonly model: string;
  readonly messages: readonly ChatTurn[];
  readonly maxTokens: number;
  readonly temperature: number;
}

/** What an answer has cost. */
export interface ChatCost {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** The part of an event, or of an error, that is read. */
interface Answer {
  readonly data?: readonly { readonly id: string }[];
  readonly choices?: readonly { readonly delta?: { readonly content?: string } }[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly prompt_tokens_details?: { readonly cached_tokens: number };
  } | null;
  readonly error?: { readonly message: string; readonly code: string };
}

/** @throws target_unavailable, and what the server says */
async function ask(server: ChatServer, path: string, init: RequestInit): Promise<Response> {
  const auth = server.key === undefined ? {} : { authorization: `Bearer ${server.key}` };
  const headers = { 'content-type': 'application/json', ...auth };
  const url = `${server.url.replace(/\/+$/, '')}/v1${path}`;
  const response = await fetch(url, { ...init, headers }).catch((error: unknown) => {
    if (init.signal?.aborted === true) throw error;
    return fail('target_unavailable', `Nothing answers at ${server.url}.`, error);
  });
  if (response.ok) return response;
  const answer = (await response.json().catch(() => ({}))) as Answer;
  return refuse(server, answer, response.status);
}

/** @throws with the server's own code, where it is one of ours */
function refuse({ url }: ChatServer, { error }: Answer, status?: number): never {
  const message = error?.message ?? `${url} answers with status ${status}.`;
  const code = error?.code ?? '';
  return fail(
    Object.hasOwn(errorTable, code) ? (code as ErrorCode) : 'target_unavailable',
    message,
  );
}

/** The model that is asked for, or the first there is. @throws engine_missing */
export async function chooseModel(server: ChatServer, wanted?: string): Promise<string> {
  if (wanted !== undefined) return wanted;
  const response = await ask(server, '/models', {});
  const { data } = (await response.json()) as Answer;
  return data?.[0]?.id ?? fail('engine_missing', `${server.url} serves no model.`);
}

/** Gives each piece of the answer to `say`. @throws as `ask`; AbortError */
export async function askChat(
  server: ChatServer,
  { model, messages, maxTokens, temperature }: ChatAsked,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<ChatCost> {
  const body = JSON.stringify({
    model,
    messages,
    max_tokens: maxTokens,
    temperature,
    stream: true,
    stream_options: { include_usage: true },
  });
  const response = await ask(server, '/chat/completions', { method: 'POST', body, signal });
  let cost: ChatCost = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };
  for await (const event of eventsOf(response)) {
    if (event.error !== undefined) refuse(server, event);
    const text = event.choices?.[0]?.delta?.content;
    if (text !== undefined && text !== '') say(text);
    if (event.usage) {
      cost = {
        promptTokens: event.usage.prompt_tokens,
        cachedTokens: event.usage.prompt_tokens_details?.cached_tokens ?? 0,
        completionTokens: event.usage.completion_tokens,
      };
    }
  }
  return cost;
}

/** Server-sent events that carry JSON, up to the end of the answer. */
async function* eventsOf({ body }: Response): AsyncGenerator<Answer> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of body ?? []) {
    const events = (rest + decoder.decode(bytes as Uint8Array, { stream: true })).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      if (event.startsWith('data: {')) yield JSON.parse(event.slice('data: '.length)) as Answer;
    }
  }
}
