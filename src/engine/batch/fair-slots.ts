/** Who has slots, and which sequence makes room for one of another tenant. */

import type { TokenRun } from './token-run.ts';

/** Sequences with slots, and their tokens, computed or not. */
export function occupied<M>(slots: readonly (TokenRun<M> | undefined)[]): {
  readonly tokens: number;
  readonly count: number;
} {
  let tokens = 0;
  let count = 0;
  for (const run of slots) {
    if (run === undefined) continue;
    tokens += run.length;
    count += 1;
  }
  return { tokens, count };
}

/**
 * Slots are shared evenly: whoever has none, or at least two fewer than another, may have one of his. Of those that have had their slice the one goes
 * that has had its slot for longest, of the tenant with most slots.
 *
 * @param step the step that comes next
 * @returns undefined: nobody has to
 */
export function victimFor<M>(
  tenant: string,
  running: readonly (TokenRun<M> | undefined)[],
  step: number,
  sliceSteps: number,
): TokenRun<M> | undefined {
  const held = new Map<string, number>();
  for (const run of running)
    if (run !== undefined) held.set(run.tenant, (held.get(run.tenant) ?? 0) + 1);
  const own = held.get(tenant) ?? 0;
  let victim: TokenRun<M> | undefined;
  let most = 0;
  for (const run of running) {
    if (run === undefined || run.tenant === tenant || run.phase !== 'running') continue;
    const slots = held.get(run.tenant) ?? 0;
    if (own > 0 && slots < own + 2) continue;
    if (step - run.admittedStep < sliceSteps) continue;
    const isLonger = victim === undefined || run.admittedStep < victim.admittedStep;
    if (slots < most || (slots === most && !isLonger)) continue;
    victim = run;
    most = slots;
  }
  return victim;
}
