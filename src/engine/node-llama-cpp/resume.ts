/** From a pool into a sequence. */

import { writeFile } from 'node:fs/promises';
import { show } from '../../base/show.ts';
import { fail } from '../../errors.ts';
import type { Lease, Pool } from '../../pool/api.ts';
import { type KeptState, save, statePart, stopIf } from './checkpoint.ts';
import { recordOf, type StateRecord } from './record.ts';
import { scratchFolders, withScratch } from './scratch.ts';
import {
  checkSequence,
  differenceOf,
  identityOf,
  type NodeLlamaSequence,
  type StateIdentity,
} from './sequence.ts';

export interface ResumeOptions {
  /** Ends it before the state is loaded; the sequence is then as it was. */
  readonly signal?: AbortSignal;
}

/** Sequences that are being brought back: two at once would see each other's tokens. */
const resuming = new WeakSet<NodeLlamaSequence>();

/**
 * Makes a sequence what it was when `checkpoint` kept it, in whatever process that was. It goes on from there as if nothing had been: same logits, to the last
 * bit, where it is evaluated in the same batches.
 *
 * What the sequence had before is kept until the state is in, and comes back if llama.cpp refuses it. Nobody may evaluate in it meanwhile.
 * @throws not_found; part_corrupt for a damaged state; engine_state_foreign when it is of another model, or a context of another kind;
 * engine_prompt_too_long when the context is too small; engine_busy, io_failed, invalid_argument, aborted. Pool and sequence are then as they were
 * @example
 * await resume(sequence, pool, 'chat-42');
 * for await (const token of sequence.evaluate(next)) print(model.detokenize([token]));
 */
export async function resume(
  sequence: NodeLlamaSequence,
  pool: Pool,
  id: string,
  options: ResumeOptions = {},
): Promise<KeptState> {
  const { signal } = options;
  checkSequence(sequence);
  stopIf(signal);
  if (resuming.has(sequence)) fail('engine_busy', 'The sequence is being brought back already.');
  resuming.add(sequence);
  try {
    const here = await identityOf(sequence);
    const lease =
      pool.get(id, statePart) ??
      (pool.hasDisk ? await pool.load(id, statePart, options) : undefined);
    if (lease === undefined) fail('not_found', `Context ${show(id)} has no state of a sequence.`);
    try {
      const record = checked(lease, id);
      checkFit(record, here, sequence.contextSize, id);
      await bring(sequence, record, signal);
      return { tokens: record.tokens.length, sizeBytes: lease.sizeBytes, version: lease.version };
    } finally {
      lease.release();
    }
  } finally {
    resuming.delete(sequence);
  }
}

/** @throws engine_state_foreign, engine_prompt_too_long */
function checkFit(
  { identity, tokens }: StateRecord,
  here: StateIdentity,
  contextSize: number,
  id: string,
): void {
  const difference = differenceOf(identity, here);
  if (difference !== undefined) {
    fail('engine_state_foreign', `The state of ${show(id)} is ${difference}.`);
  }
  if (tokens.length <= contextSize) return;
  fail(
    'engine_prompt_too_long',
    `The state of ${show(id)} has ${tokens.length} tokens; the context takes ${contextSize}.`,
  );
}

function bring(
  sequence: NodeLlamaSequence,
  record: StateRecord,
  signal: AbortSignal | undefined,
): Promise<void> {
  return withScratch(scratchFolders(), ['state', 'before'], async (...paths) => {
    const [path, before] = paths as [string, string];
    await writeFile(path, record.file);
    const had = sequence.contextTokens.length > 0;
    if (had) await save(sequence, before);
    stopIf(signal);
    await load(sequence, path, had ? before : undefined, record);
  });
}

/** @throws part_corrupt */
function checked({ data }: Lease, id: string): StateRecord {
  const record = data instanceof Uint8Array ? recordOf(data) : 'it is not bytes';
  if (typeof record !== 'string') return record;
  return fail('part_corrupt', `The state of ${show(id)} is damaged: ${record}.`);
}

/** @param before what the sequence had; undefined: nothing */
async function load(
  sequence: NodeLlamaSequence,
  path: string,
  before: string | undefined,
  { tokens }: StateRecord,
): Promise<void> {
  let cause: unknown;
  try {
    await sequence.loadStateFromFile(path, { acceptRisk: true });
    const loaded = sequence.contextTokens;
    if (loaded.length === tokens.length && loaded.every((token, at) => token === tokens[at]))
      return;
    cause = new Error('The tokens are not those of the state.');
  } catch (error) {
    cause = error;
  }
  if (before === undefined) await sequence.clearHistory();
  else await sequence.loadStateFromFile(before, { acceptRisk: true });
  fail(
    'engine_state_foreign',
    'llama.cpp refuses the state: the context is of another kind.',
    cause,
  );
}
