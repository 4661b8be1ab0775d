/**
 * The sequences of one context, step by step. A step computes a piece of one prompt, then the next token of every answer in one batch, then writes one
 * block of state. So an answer never waits for more than a piece of somebody's prompt, and pieces end at the same places whoever else is there.
 */

import { CenoteError, fail, hasCode } from '../../errors.ts';
import type { LlamaContext } from '../llama/context.ts';
import type { LlamaModel } from '../llama/model.ts';
import type { StateKeeper } from '../state/keeper.ts';
import type { Counters } from '../state/counters.ts';
import type { Failure, FromInstance, Prompt, Work } from './protocol.ts';
import { type Emitted, Running } from './running.ts';
import { sample } from './sample.ts';

export interface SequencerOptions {
  readonly model: LlamaModel;
  readonly context: LlamaContext;
  /** Undefined: nothing is kept. */
  readonly keeper: StateKeeper | undefined;
  readonly counters: Counters;
  readonly post: (message: FromInstance) => void;
  /** There may be something to do for `step`. */
  readonly wake: () => void;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

export class Sequencer {
  readonly #options: SequencerOptions;
  readonly #free: number[];
  /** Those that are being restored are not among them. */
  readonly #active: Running[] = [];
  /** Came before a cancelled one had given its sequence back. */
  readonly #waiting: { readonly id: number; readonly work: Work }[] = [];
  readonly #cancelled = new Set<number>();
  readonly #known = new Set<number>();
  readonly #logits: Float32Array;

  constructor(options: SequencerOptions) {
    const { sequences } = options.context.shape;
    this.#options = options;
    this.#free = Array.from({ length: sequences }, (_, index) => sequences - 1 - index);
    this.#logits = new Float32Array(options.model.vocabulary);
  }

  /** True when no request is under way. */
  get isIdle(): boolean {
    return this.#known.size === 0;
  }

  /** Whoever calls it keeps count: never more requests than sequences, but for those that were cancelled. */
  async start(id: number, work: Work): Promise<void> {
    const { context, keeper, post, wake, nowMs } = this.#options;
    const sequence = this.#free.pop();
    if (sequence === undefined) {
      this.#waiting.push({ id, work });
      return;
    }
    const startedMs = nowMs();
    this.#known.add(id);
    try {
      const prompt = this.#tokensOf(work.prompt);
      const room = context.shape.contextTokens;
      const running = new Running(id, work, sequence, prompt, room, startedMs);
      if (keeper !== undefined) {
        const { batchTokens } = context.shape;
        const { tenant } = work;
        const cached = await keeper.restore(context, sequence, tenant, prompt, batchTokens);
        running.computed = cached;
        running.cachedTokens = cached;
        running.restoredMs = nowMs() - startedMs;
      }
      if (this.#cancelled.has(id)) this.#end(running);
      else this.#active.push(running);
    } catch (error) {
      this.#giveBack(sequence);
      this.#forget(id);
      post({ type: 'failed', id, failure: failureOf(error) });
    }
    wake();
  }

  /** Its sequence is free from then on; the one who cancels knows why, so nothing is said. */
  cancel(id: number): void {
    const index = this.#active.findIndex((running) => running.id === id);
    const running = this.#active[index];
    if (running === undefined) {
      const waiting = this.#waiting.findIndex((each) => each.id === id);
      if (waiting >= 0) this.#waiting.splice(waiting, 1);
      if (this.#known.has(id)) this.#cancelled.add(id);
      return;
    }
    this.#active.splice(index, 1);
    this.#end(running);
  }

  cancelAll(): void {
    this.#waiting.length = 0;
    for (const id of this.#known) this.cancel(id);
  }

  /** One step. @returns false when there was nothing to do */
  step(): boolean {
    const prompting = this.#active.find(({ isPrefilling }) => isPrefilling);
    if (prompting !== undefined) this.#guarded([prompting], () => this.#prefill(prompting));
    const answering = this.#active.filter((each) => !each.isPrefilling && each !== prompting);
    if (answering.length > 0) this.#guarded(answering, () => this.#decode(answering));
    const wrote = this.#options.keeper?.step() ?? false;
    return prompting !== undefined || answering.length > 0 || wrote;
  }

  #tokensOf(prompt: Prompt): Int32Array {
    const { model, context } = this.#options;
    const tokens = tokensOf(model, prompt);
    const room = context.shape.contextTokens;
    if (tokens.length === 0) fail('invalid_argument', 'The prompt has no tokens.');
    if (tokens.length >= room) {
      fail(
        'engine_prompt_too_long',
        `The prompt has ${tokens.length} tokens; prompt and answer have ${room}.`,
      );
    }
    return tokens;
  }

  /** Computes what is left of a prompt up to the next multiple of a batch, and the first token if that is all. */
  #prefill(running: Running): void {
    const { context, nowMs } = this.#options;
    const startedMs = nowMs();
    const { batchTokens } = context.shape;
    const from = running.computed;
    const to = Math.min(running.promptTokens, (Math.floor(from / batchTokens) + 1) * batchTokens);
    const isLast = to === running.promptTokens;
    context.begin();
    let row = 0;
    for (let position = from; position < to; position++) {
      const wantLogits = isLast && position === to - 1;
      row = context.add(running.sequence, position, running.tokens[position] as number, wantLogits);
    }
    context.compute();
    running.computed = to;
    running.prefilledMs += nowMs() - startedMs;
    if (!isLast) return;
    // Others may be at the front next time.
    this.#active.push(...this.#active.splice(this.#active.indexOf(running), 1));
    this.#say([[running, row]]);
  }

  #decode(answering: readonly Running[]): void {
    const { context } = this.#options;
    context.begin();
    const rows = answering.map((running): [Running, number] => {
      const { sequence, computed, lastToken } = running;
      return [running, context.add(sequence, computed, lastToken, true)];
    });
    context.compute();
    for (const running of answering) running.computed += 1;
    this.#say(rows);
  }

  /** Takes the next token of each from its row of logits. */
  #say(rows: readonly (readonly [Running, number])[]): void {
    const { model, context, post, nowMs } = this.#options;
    const tokens: (Emitted & { id: number })[] = [];
    for (const [running, row] of rows) {
      context.logits(row, this.#logits);
      running.saw(this.#logits);
      const token = sample(this.#logits, running.work, running.random);
      const isEnd = !running.work.ignoreEnd && model.isEnd(token);
      if (running.firstMs === 0) running.firstMs = nowMs();
      tokens.push({ id: running.id, ...running.take(token, model.piece(token), isEnd) });
    }
    post({ type: 'tokens', tokens });
    for (const [running] of rows) if (running.isFinished) this.#finish(running);
  }

  #finish(running: Running): void {
    const { post, nowMs } = this.#options;
    this.#active.splice(this.#active.indexOf(running), 1);
    const { id } = running;
    post({ type: 'done', id, result: running.result(nowMs()) });
    this.#end(running);
  }

  /** Counts, keeps the state, and gives the sequence back. */
  #end(running: Running): void {
    const { context, keeper, counters } = this.#options;
    const { id, work, sequence, tokens, computed } = running;
    counters.add('promptTokens', running.promptTokens);
    counters.add('cachedTokens', running.cachedTokens);
    counters.add('completionTokens', running.completionTokens);
    try {
      keeper?.take(context, sequence, work.tenant, tokens.slice(0, computed));
    } finally {
      this.#giveBack(sequence);
      this.#forget(id);
    }
  }

  #giveBack(sequence: number): void {
    this.#options.context.remove(sequence);
    this.#free.push(sequence);
    const next = this.#waiting.shift();
    if (next !== undefined) void this.start(next.id, next.work);
  }

  #forget(id: number): void {
    this.#cancelled.delete(id);
    this.#known.delete(id);
  }

  /** Where llama.cpp refuses a batch, those in it fail, and their state is not trusted. Any other error ends the instance. */
  #guarded(concerned: readonly Running[], work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!hasCode(error, 'engine_failed')) throw error;
      for (const running of concerned) {
        const index = this.#active.indexOf(running);
        if (index < 0) continue;
        this.#active.splice(index, 1);
        this.#giveBack(running.sequence);
        this.#forget(running.id);
        this.#options.post({ type: 'failed', id: running.id, failure: failureOf(error) });
      }
    }
  }
}

function tokensOf(model: LlamaModel, prompt: Prompt): Int32Array {
  if ('tokens' in prompt) {
    for (const token of prompt.tokens) {
      if (!model.isToken(token)) fail('invalid_argument', `There is no token ${token}.`);
    }
    return prompt.tokens;
  }
  if ('text' in prompt) return model.tokenize(prompt.text, false);
  return model.tokenize(model.template(prompt.messages), model.chatTemplate !== undefined);
}

export function failureOf(error: unknown): Failure {
  if (error instanceof CenoteError) return { code: error.code, message: error.message };
  const text = error instanceof Error ? error.message : String(error);
  return { code: 'engine_failed', message: `The instance failed: ${text}` };
}
