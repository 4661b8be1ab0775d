/**
 * A model that makes tokens whose every state is a canary: a slot remembers the tokens that were computed in it, and a step in a slot that holds anything
 * but the beginning of the very sequence is an error. What follows is a function of all tokens before, so an answer tells whether the state was whole.
 */

import type {
  ContinuousOptions,
  ContinuousRequest,
  Run,
  RunEnd,
  StepBatch,
  TokenModel,
} from '../../../src/engine/batch/continuous-api.ts';
import { ContinuousBatcher } from '../../../src/engine/batch/continuous-batcher.ts';
import { Told } from './held-model.ts';
import { ManualTime } from './manual-time.ts';

type NamedRun = Run<string>;

/** The token after these. */
export function follow(tokens: ArrayLike<number>): number {
  let mixed = 17;
  for (let i = 0; i < tokens.length; i++) mixed = (mixed * 31 + (tokens[i] as number)) % 65521;
  return mixed;
}

/** What an undisturbed sequence makes of a prompt. */
export function undisturbed(prompt: readonly number[], count: number): number[] {
  const tokens = [...prompt];
  for (let i = 0; i < count; i++) tokens.push(follow(tokens));
  return tokens.slice(prompt.length);
}

export class TokenWorld implements TokenModel<string> {
  readonly time: ManualTime = new ManualTime();
  readonly batcher: ContinuousBatcher<string>;
  readonly #told: Told = new Told();
  /** Tokens in each slot; undefined: nobody has it. */
  readonly #slots: (number[] | undefined)[];
  /** What was kept of those that were preempted. */
  readonly #kept = new Map<string, readonly number[]>();
  /** Steps: `name×tokens`, `*` where a token was made. */
  readonly steps: string[] = [];
  readonly ends: string[] = [];
  readonly answers: Map<string, readonly number[]> = new Map();
  #go: (() => void) | undefined;
  #nextFailure: Error | undefined;
  /** Steps wait until they are finished. */
  isHeld: boolean = true;

  constructor(options: Partial<ContinuousOptions<string>> = {}) {
    const { slots = 4 } = options;
    this.#slots = Array.from({ length: slots });
    this.batcher = new ContinuousBatcher({ model: this, slots, timers: this.time, ...options });
  }

  begin(run: NamedRun): number {
    if (this.#slots[run.slot] !== undefined) throw new Error(`slot ${run.slot} is not free`);
    const kept = this.#kept.get(run.meta) ?? [];
    this.#kept.delete(run.meta);
    this.#slots[run.slot] = [...kept];
    return kept.length;
  }

  async step(batch: StepBatch<string>): Promise<void> {
    const failure = this.#nextFailure;
    this.#nextFailure = undefined;
    if (failure !== undefined) throw failure;
    this.#note(batch);
    if (this.isHeld)
      await new Promise<void>((resolve) => {
        this.#go = resolve;
      });
    for (let index = 0; index < batch.size; index++) {
      const run = batch.runs[index] as NamedRun;
      const state = this.#stateOf(run);
      const count = batch.counts[index] as number;
      state.push(...run.tokens.subarray(run.computed, run.computed + count));
      if (batch.samples[index] === 1) batch.next[index] = follow(state);
    }
  }

  preempt(run: NamedRun): void {
    this.#kept.set(run.meta, this.#stateOf(run));
    this.#slots[run.slot] = undefined;
    this.ends.push(`${run.meta}: kept`);
  }

  end(run: NamedRun, reason: RunEnd): void {
    if (this.#slots[run.slot] === undefined) throw new Error(`${run.meta} ends twice`);
    this.#slots[run.slot] = undefined;
    this.ends.push(`${run.meta}: ${reason}`);
  }

  /** The state in its slot, which must be that of this very sequence. */
  #stateOf({ meta, slot, tokens, computed }: NamedRun): number[] {
    const state = this.#slots[slot];
    if (state?.length !== computed || state.some((token, i) => token !== tokens[i]))
      throw new Error(`slot ${slot} does not hold the state of ${meta}`);
    return state;
  }

  #note({ size, runs, counts, samples }: StepBatch<string>): void {
    const members: string[] = [];
    for (let i = 0; i < size; i++)
      members.push(`${runs[i]?.meta}×${counts[i]}${samples[i] === 1 ? '*' : ''}`);
    this.steps.push(members.join(' '));
  }

  submit(
    meta: string,
    prompt: readonly number[],
    more: Partial<ContinuousRequest<string>> = {},
  ): void {
    const answer = this.batcher.submit({ meta, tokens: prompt, maxTokens: 4, ...more });
    this.#told.watch(
      meta,
      answer.then(({ tokens }) => this.answers.set(meta, [...tokens])),
    );
  }

  async arrive(...args: Parameters<TokenWorld['submit']>): Promise<void> {
    this.submit(...args);
    await this.time.settle();
  }

  get isStepping(): boolean {
    return this.#go !== undefined;
  }

  /** The step that runs ends, and the next one begins. */
  async finishStep(): Promise<void> {
    const go = this.#go;
    if (go === undefined) throw new Error('no step runs');
    this.#go = undefined;
    go();
    await this.time.settle();
  }

  async run(steps: number = Infinity): Promise<void> {
    for (let i = 0; i < steps && this.isStepping; i++) await this.finishStep();
  }

  failNext(error: Error): void {
    this.#nextFailure = error;
  }

  get told(): readonly string[] {
    return this.#told.all;
  }
}
