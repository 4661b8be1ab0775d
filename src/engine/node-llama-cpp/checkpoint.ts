/** From a sequence into a pool. */

import { open, stat } from 'node:fs/promises';
import { crc32 } from '../../base/checksum.ts';
import { CenoteError, fail } from '../../errors.ts';
import type { Draft, Pool, PutOptions } from '../../pool/api.ts';
import { tailOf } from './record.ts';
import { ScratchError, scratchFolders, withScratch } from './scratch.ts';
import { checkSequence, identityOf, type NodeLlamaSequence } from './sequence.ts';

/** The part of a context that holds a state. */
export const statePart = 'node-llama-cpp';

/** Read at a time. */
const sliceBytes: number = 2 ** 22;

export interface CheckpointOptions extends Pick<
  PutOptions,
  'ttlMs' | 'tags' | 'pinned' | 'sensitive' | 'ifVersion'
> {
  /** Ends it between two steps; the pool is then as it was. */
  readonly signal?: AbortSignal;
}

export interface KeptState {
  readonly tokens: number;
  /** Of the part: 2 · layers · KV width · 2 bytes a token with f16, and little more. */
  readonly sizeBytes: number;
  readonly version: number;
}

/**
 * Keeps the state of a sequence as part `node-llama-cpp` of context `id`, in place of the one that was there. The part is of one piece: it has to fit
 * a segment of the pool (`pool.stats().maxPartBytes`, at most 512 MiB).
 *
 * The sequence stays as it is. One that takes in tokens meanwhile is refused: await its evaluation first, or stop pulling from it.
 * @throws invalid_argument, engine_busy when the sequence went on meanwhile, engine_model_invalid, io_failed, aborted, and what `put` throws:
 * pool_full, value_too_large, version_conflict. Nothing has changed then
 * @example
 * await checkpoint(session.sequence, pool, 'chat-42');
 */
export async function checkpoint(
  sequence: NodeLlamaSequence,
  pool: Pool,
  id: string,
  options: CheckpointOptions = {},
): Promise<KeptState> {
  const { signal, ...put } = options;
  checkSequence(sequence);
  stopIf(signal);
  const identity = await identityOf(sequence);
  return withScratch(scratchFolders(), ['state'], async (path) => {
    stopIf(signal);
    const tokens = await save(sequence, path);
    const { size } = await stat(path);
    const tail = (crc: number): Uint8Array => tailOf(identity, tokens, size, crc);
    const draft = pool.beginPut(id, statePart, size + tail(0).length, {
      ...put,
      kind: 'attention',
    });
    try {
      draft.write(tail(await copy(path, size, draft, signal)));
      const { sizeBytes } = draft;
      return { tokens: tokens.length, sizeBytes, version: draft.commit() };
    } finally {
      draft.abort();
    }
  });
}

/** @throws aborted */
export function stopIf(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new CenoteError('aborted', 'The caller cancelled this.', { cause: signal.reason });
}

/** @returns its tokens: what it had before and after, since only then is it what was saved */
export async function save(sequence: NodeLlamaSequence, path: string): Promise<readonly number[]> {
  const tokens = sequence.contextTokens;
  if (tokens.length === 0) fail('invalid_argument', 'The sequence has no tokens.');
  let fileSize: number;
  try {
    ({ fileSize } = await sequence.saveStateToFile(path));
  } catch (error) {
    throw new ScratchError('The state was not saved.', { cause: error });
  }
  const after = sequence.contextTokens;
  if (after.length !== tokens.length || after.some((token, index) => token !== tokens[index])) {
    fail('engine_busy', 'The sequence went on while its state was saved.');
  }
  const { size } = await stat(path);
  // What a full folder did not take is missed by nobody but whoever looks.
  if (size !== fileSize) throw new ScratchError(`Of ${fileSize} bytes ${size} were saved.`);
  return tokens;
}

/** @returns the checksum of the file */
async function copy(
  path: string,
  sizeBytes: number,
  draft: Draft,
  signal: AbortSignal | undefined,
): Promise<number> {
  const file = await open(path, 'r');
  try {
    let crc = 0;
    for (let at = 0; at < sizeBytes;) {
      stopIf(signal);
      const room = draft.room(Math.min(sliceBytes, sizeBytes - at));
      const { bytesRead } = await file.read(room, 0, room.length, at);
      if (bytesRead === 0)
        fail('engine_failed', `The state ends after ${at} of ${sizeBytes} bytes.`);
      crc = crc32(room.subarray(0, bytesRead), crc);
      draft.wrote(bytesRead);
      at += bytesRead;
    }
    return crc;
  } finally {
    await file.close();
  }
}
