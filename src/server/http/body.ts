/** Request bodies: how they are framed, received chunk by chunk, or read as JSON. */

import type { IncomingMessage } from 'node:http';

import { CenoteError, fail } from '../../errors.ts';
import type { Exchange } from './exchange.ts';
import { checkObject, show, type ObjectSchema } from './schema.ts';
import { proceed } from './send.ts';

/**
 * Bytes that the client announces; undefined for a chunked body.
 * @throws length_required without framing, value_too_large, unsupported_encoding, invalid_argument
 * for a piece of a whole
 */
export function announcedBytes(req: IncomingMessage, maxBytes: number): number | undefined {
  const encoding = req.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    fail('unsupported_encoding', `Content-Encoding ${show(encoding)} is not supported.`);
  }
  const range = req.headers['content-range'];
  if (range !== undefined) {
    fail(
      'invalid_argument',
      `Content-Range ${show(range)}: a part is written whole or appended to.`,
    );
  }
  const transfer = req.headers['transfer-encoding'];
  if (transfer !== undefined) {
    // The parser undoes chunks only, and lets other encodings under them pass.
    if (transfer.trim().toLowerCase() === 'chunked') return undefined;
    fail('unsupported_encoding', `Transfer-Encoding ${show(transfer)} is not supported.`);
  }
  const length = req.headers['content-length'];
  if (length === undefined) {
    fail('length_required', 'The request has neither Content-Length nor a chunked body.');
  }
  // The parser lets digits pass only.
  const sizeBytes = Number(length);
  if (sizeBytes > maxBytes) tooLarge(maxBytes);
  return sizeBytes;
}

/**
 * Gives each chunk to `take` as it arrives; `take` copies what it keeps. Resolves with the bytes
 * received when the body has ended. An error of `take` stops it and is passed on; the rest of the
 * body stays unread.
 * @throws value_too_large, aborted, request_timeout, unauthorized when the key was revoked meanwhile
 */
export function receive(
  exchange: Exchange,
  maxBytes: number,
  take: (chunk: Buffer) => void,
): Promise<number> {
  const { req } = exchange;
  proceed(exchange);
  return new Promise((resolve, reject) => {
    let receivedBytes = 0;
    req.on('data', onData);
    req.once('end', onEnd);
    req.once('close', onClose);
    req.once('timeout', onTimeout);
    exchange.interrupt = giveUp;
    if (exchange.fault !== undefined) giveUp(exchange.fault);
    else if (req.destroyed) onClose();

    function onData(chunk: Buffer): void {
      receivedBytes += chunk.length;
      try {
        if (receivedBytes > maxBytes) tooLarge(maxBytes);
        exchange.reservation?.checkCaller();
        take(chunk);
      } catch (error) {
        giveUp(error as Error);
      }
    }

    function onEnd(): void {
      try {
        // What ends now may be published now.
        exchange.reservation?.checkCaller();
      } catch (error) {
        giveUp(error as Error);
        return;
      }
      stop();
      resolve(receivedBytes);
    }

    function onClose(): void {
      giveUp(
        new CenoteError('aborted', `The client left after ${receivedBytes} bytes of its body.`),
      );
    }

    function onTimeout(): void {
      // What comes later belongs to no request.
      exchange.res.shouldKeepAlive = false;
      giveUp(
        new CenoteError(
          'request_timeout',
          `The body paused for too long after ${receivedBytes} bytes.`,
        ),
      );
    }

    function giveUp(error: Error): void {
      stop();
      reject(error);
    }

    function stop(): void {
      req.off('data', onData);
      req.off('end', onEnd);
      req.off('close', onClose);
      req.off('timeout', onTimeout);
      exchange.interrupt = undefined;
      req.pause();
    }
  });
}

/**
 * The JSON object that a request carries; an empty object without a body. @throws invalid_argument
 * and as `receive`
 */
export async function readJson(
  exchange: Exchange,
  schema: ObjectSchema,
  maxJsonBytes: number = exchange.service.limits.maxJsonBytes,
): Promise<Record<string, unknown>> {
  const { req } = exchange;
  const { 'content-length': length, 'transfer-encoding': chunked } = req.headers;
  if (length === undefined && chunked === undefined) return checkObject(schema, {});
  const value = await readJsonValue(exchange, maxJsonBytes);
  return checkObject(schema, value === undefined ? {} : value);
}

/** Whatever JSON a request carries; undefined for an empty body. @throws invalid_argument, length_required and as `receive` */
export async function readJsonValue(exchange: Exchange, maxJsonBytes: number): Promise<unknown> {
  const bytes = await readBytes(exchange, maxJsonBytes);
  return bytes.length === 0 ? undefined : parseJson(decodeText(bytes));
}

/** All bytes that a request carries. @throws length_required and as `receive` */
export async function readBytes(exchange: Exchange, maxBytes: number): Promise<Buffer> {
  const { req, reservation } = exchange;
  announcedBytes(req, maxBytes);
  const chunks: Buffer[] = [];
  await receive(exchange, maxBytes, (chunk) => {
    reservation?.growBody(chunk.length);
    chunks.push(chunk);
  });
  return Buffer.concat(chunks);
}

/** @throws invalid_argument */
export function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return fail('invalid_argument', `The body of ${bytes.length} bytes is not JSON in UTF-8.`);
  }
}

/** @throws invalid_argument */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return fail('invalid_argument', `The body of ${text.length} characters is not JSON in UTF-8.`);
  }
}

function tooLarge(maxBytes: number): never {
  fail('value_too_large', `The body is larger than the ${maxBytes} bytes allowed here.`);
}
