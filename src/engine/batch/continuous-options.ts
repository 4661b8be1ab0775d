/** What a continuous batcher is opened with and asked for, checked. */

import { fail } from '../../errors.ts';
import { countMax, moment, text, wholeNumber } from './bounds.ts';
import type { ContinuousOptions, ContinuousRequest } from './continuous-api.ts';

const stepTokensDefault = 512;
const chunkTokensDefault = 128;
const sliceStepsDefault = 64;
const queueMaxDefault = 256;
const slotsMax = 4096;
/** Where nothing else bounds a sequence. */
const contextTokensMax = 1 << 24;

export interface ContinuousBounds {
  readonly slots: number;
  readonly stepTokens: number;
  readonly chunkTokens: number;
  readonly alignChunks: boolean;
  readonly joinedChunks: number;
  readonly capacityTokens: number;
  readonly contextTokens: number;
  readonly sliceSteps: number;
  readonly queueMax: number;
  readonly tenantQueueMax: number;
}

function orInfinity(name: string, value: number, min: number): number {
  return value === Infinity ? value : wholeNumber(name, value, min, contextTokensMax);
}

/** @throws invalid_argument */
export function boundsFrom<M>(options: ContinuousOptions<M>): ContinuousBounds {
  const { chunkTokens = chunkTokensDefault, capacityTokens = Infinity } = options;
  const { queueMax = queueMaxDefault, sliceSteps, alignChunks = false } = options;
  const { joinedChunks = 1 } = options;
  const { tenantQueueMax = queueMax } = options;
  const slots = wholeNumber('slots', options.slots, 1, slotsMax);
  const { stepTokens = Math.max(slots, stepTokensDefault) } = options;
  const capacity = orInfinity('capacityTokens', capacityTokens, 2);
  const contextMax = Math.min(capacity, contextTokensMax);
  const slice = options.model.preempt === undefined ? Infinity : sliceStepsDefault;
  // A whole chunk has to fit beside the answers of all others.
  const stepMin = alignChunks ? slots - 1 + chunkTokens : slots;
  return {
    slots,
    alignChunks,
    joinedChunks: wholeNumber('joinedChunks', joinedChunks, 1, slotsMax),
    stepTokens: wholeNumber('stepTokens', stepTokens, stepMin, countMax),
    chunkTokens: wholeNumber('chunkTokens', chunkTokens, 1, countMax),
    capacityTokens: capacity,
    contextTokens: wholeNumber('contextTokens', options.contextTokens ?? contextMax, 2, contextMax),
    sliceSteps: orInfinity('sliceSteps', sliceSteps ?? slice, 1),
    queueMax: wholeNumber('queueMax', queueMax, 1, countMax),
    tenantQueueMax: wholeNumber('tenantQueueMax', tenantQueueMax, 1, countMax),
  };
}

/** @throws invalid_argument, engine_prompt_too_long */
export function checkRequest<M>(request: ContinuousRequest<M>, bounds: ContinuousBounds): void {
  const { tokens, maxTokens } = request;
  text('tenant', request.tenant ?? '');
  moment('deadlineMs', request.deadlineMs ?? Infinity);
  wholeNumber('maxTokens', maxTokens, 1, contextTokensMax);
  if (tokens.length === 0) fail('invalid_argument', 'A prompt has at least one token.');
  if (tokens.length >= bounds.contextTokens)
    fail(
      'engine_prompt_too_long',
      `The prompt has ${tokens.length} tokens, and a sequence, with its answer, at most ${bounds.contextTokens}.`,
    );
}
