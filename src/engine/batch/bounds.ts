/** Options with their bounds. */

import { show } from '../../base/show.ts';
import { fail } from '../../errors.ts';
import type { BatchShape, QueuePolicy } from './api.ts';
import type { Policy } from './policy-queue.ts';

/** Far above what makes sense, and small enough for tables of that length. */
export const countMax: number = 1 << 20;
const queueMaxDefault = 1024;
const levelsMax = 256;

/** @throws invalid_argument */
export function wholeNumber(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  return fail(
    'invalid_argument',
    `${name} must be a whole number from ${min} to ${max}; got ${show(value)}.`,
  );
}

/** Zero to Infinity. @throws invalid_argument */
export function duration(name: string, value: number): number {
  if (typeof value === 'number' && value >= 0) return value;
  return fail('invalid_argument', `${name} must be 0 or more milliseconds; got ${show(value)}.`);
}

/** A time of the clock. @throws invalid_argument */
export function moment(name: string, value: number): number {
  if (typeof value === 'number' && !Number.isNaN(value)) return value;
  return fail('invalid_argument', `${name} must be a time in milliseconds; got ${show(value)}.`);
}

/** @throws invalid_argument */
export function text(name: string, value: string): string {
  if (typeof value === 'string') return value;
  return fail('invalid_argument', `${name} must be a string; got ${show(value)}.`);
}

function policyFrom(name: string, given: QueuePolicy): Policy {
  const { timeoutMs = Infinity, timeoutAction = 'reject' } = given;
  const { allowTimeoutOverride = false, queueMax = queueMaxDefault } = given;
  const { tenantQueueMax = queueMax } = given;
  if (timeoutAction !== 'reject' && timeoutAction !== 'delay')
    fail(
      'invalid_argument',
      `${name}.timeoutAction is reject or delay; got ${show(timeoutAction)}.`,
    );
  return {
    timeoutMs: duration(`${name}.timeoutMs`, timeoutMs),
    timeoutAction,
    allowTimeoutOverride,
    queueMax: wholeNumber(`${name}.queueMax`, queueMax, 1, countMax),
    tenantQueueMax: wholeNumber(`${name}.tenantQueueMax`, tenantQueueMax, 1, countMax),
  };
}

/** Of level 1, 2, … @throws invalid_argument */
export function policiesFrom(
  levels: number,
  common: QueuePolicy = {},
  perLevel: Readonly<Record<number, QueuePolicy>> = {},
): readonly Policy[] {
  wholeNumber('priorityLevels', levels, 1, levelsMax);
  for (const level of Object.keys(perLevel))
    wholeNumber('A level of priorityQueuePolicies', Number(level), 1, levels);
  return Array.from({ length: levels }, (_, index) =>
    policyFrom(`the policy of priority ${index + 1}`, { ...common, ...perLevel[index + 1] }),
  );
}

/** What a batch may be like, checked, its preferred sizes ascending. */
export interface Shape {
  readonly batchMax: number;
  readonly preferred: readonly number[];
  readonly queueDelayMs: number;
}

/** @throws invalid_argument */
export function shapeFrom(given: BatchShape): Shape {
  const batchMax = wholeNumber('batchMax', given.batchMax, 1, countMax);
  const preferred = [...(given.preferredBatchSizes ?? [])];
  for (const size of preferred) wholeNumber('A preferred batch size', size, 1, batchMax);
  return {
    batchMax,
    preferred: preferred.toSorted((a, b) => a - b),
    queueDelayMs: duration('queueDelayMs', given.queueDelayMs ?? 0),
  };
}
