/** Answers: JSON, text, problems, and bytes straight from pool memory. */

import type { ServerResponse } from 'node:http';

import { openAiErrorOf } from '../chat/problem.ts';
import { kserveErrorOf } from '../kserve/problem.ts';
import type { Exchange } from './exchange.ts';
import { problemOf, problemType, type HeaderFields, type Problem } from './problem.ts';
import type { Route } from './route.ts';

const jsonType = 'application/json';

export function sendJson(
  exchange: Exchange,
  status: number,
  value: unknown,
  headers: HeaderFields = {},
): void {
  sendText(exchange, status, JSON.stringify(value), jsonType, headers);
}

export function sendText(
  exchange: Exchange,
  status: number,
  text: string,
  contentType: string,
  headers: HeaderFields = {},
): void {
  const body = Buffer.from(text);
  sendHead(exchange, status, {
    'Content-Type': contentType,
    'Content-Length': String(body.length),
    'Cache-Control': 'no-store',
    ...headers,
  });
  exchange.res.end(body);
}

/**
 * Writes status and headers; closes the connection afterwards when it cannot serve another request.
 */
export function sendHead(exchange: Exchange, status: number, headers: HeaderFields): void {
  const { res, service } = exchange;
  if (service.phase === 'closing' || mustClose(exchange)) res.shouldKeepAlive = false;
  res.writeHead(status, { 'X-Content-Type-Options': 'nosniff', ...headers });
  service.traffic.answered(status);
}

/**
 * Answers with a problem. When much of the body is still to come the connection closes after it,
 * but not at once: closing with unread bytes makes the kernel reset the connection, and the client
 * might never see the answer.
 */
export function sendProblem(exchange: Exchange, error: unknown, dialect?: Route['dialect']): void {
  const { req, res, service } = exchange;
  const { problem, headers } = problemOf(error);
  if (problem.code === 'internal') service.onError(error);
  if (res.headersSent || req.socket.destroyed) {
    res.destroy();
    return;
  }
  const said = saidOf(problem, dialect);
  const body = Buffer.from(JSON.stringify(said));
  sendHead(exchange, problem.status, {
    'Content-Type': dialect === undefined ? problemType : jsonType,
    'Content-Length': String(body.length),
    'Cache-Control': 'no-store',
    ...headers,
  });
  const moreComes = mustClose(exchange) && !exchange.awaitsContinue && !req.socket.readableEnded;
  if (moreComes && req.method !== 'HEAD') {
    res.write(body);
    linger(exchange);
  } else {
    res.end(body);
    req.resume();
  }
}

function saidOf(problem: Problem, dialect: Route['dialect']): object {
  if (dialect === 'openai') return openAiErrorOf(problem);
  return dialect === 'kserve' ? kserveErrorOf(problem) : problem;
}

/**
 * Sends `pieces` without copying them: the socket reads pool memory, so the caller keeps its leases
 * until this resolves, which is when the response has been handed to the system or the socket is
 * closed.
 */
export async function sendBytes(
  exchange: Exchange,
  ...pieces: readonly Uint8Array[]
): Promise<void> {
  const { res, service } = exchange;
  const { sliceBytes } = service.limits;
  const done = settled(res);
  let waiting: Uint8Array | undefined;
  for (const piece of pieces) {
    for (let offset = 0; offset < piece.length; offset += sliceBytes) {
      if (waiting !== undefined && !res.write(waiting)) {
        await Promise.race([drained(res), done]);
        if (res.destroyed) return done;
      }
      waiting = piece.subarray(offset, offset + sliceBytes);
    }
  }
  // The last slice goes with the end: a small answer is one packet.
  res.end(waiting);
  return done;
}

/** Sends a piece of an answer. Resolves when there is room for more, or nobody is there any more. */
export async function writeText(res: ServerResponse, text: string): Promise<void> {
  if (res.write(text) || res.destroyed) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      res.off('drain', go);
      res.off('close', go);
      resolve();
    };
    res.once('drain', go);
    res.once('close', go);
  });
}

/**
 * Resolves when nothing of the response waits in this process any more: it was sent, or its socket
 * is closed.
 */
export function settled(res: ServerResponse): Promise<void> {
  const { socket } = res;
  if (socket === null || socket.closed) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = (): void => {
      res.off('finish', settle);
      socket.off('close', settle);
      resolve();
    };
    res.once('finish', settle);
    socket.once('close', settle);
  });
}

function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    res.once('drain', resolve);
  });
}

/** True when too much of the body is unread to skip it, or the client may or may not send it. */
function mustClose({ req, service, awaitsContinue }: Exchange): boolean {
  if (req.complete) return false;
  if (awaitsContinue) return true;
  if (req.headers['transfer-encoding'] !== undefined) return true;
  return Number(req.headers['content-length'] ?? 0) > service.limits.maxDrainBytes;
}

/** Sends `100 Continue` if the client waits for it. */
export function proceed(exchange: Exchange): void {
  if (!exchange.awaitsContinue) return;
  exchange.awaitsContinue = false;
  exchange.res.writeContinue();
}

/**
 * Reads and drops a bounded amount of the body, then ends the response, and with it the connection.
 */
function linger(exchange: Exchange): void {
  const { req, res, service } = exchange;
  let budgetBytes = service.limits.lingerBytes;
  const timer = setTimeout(finish, service.limits.lingerMs);
  timer.unref();
  req.on('data', drop);
  req.once('end', finish);
  req.once('close', finish);
  req.socket.once('end', finish);
  exchange.interrupt = finish;
  req.resume();

  function drop(chunk: Buffer): void {
    budgetBytes -= chunk.length;
    if (budgetBytes < 0) req.pause();
  }

  function finish(): void {
    clearTimeout(timer);
    req.off('data', drop);
    req.off('end', finish);
    req.off('close', finish);
    req.socket.off('end', finish);
    exchange.interrupt = undefined;
    res.end();
  }
}
