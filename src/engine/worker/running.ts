/** A request in an instance: where it is, and what it has come to. */

import { createHash, type Hash } from 'node:crypto';
import { Random } from '../../base/random.ts';
import type { GenerationResult } from '../api.ts';
import { AnswerText } from './answer-text.ts';
import type { Work } from './protocol.ts';

export interface Emitted {
  readonly token: number;
  readonly text: string;
  readonly index: number;
}

export class Running {
  readonly id: number;
  readonly work: Work;
  /** Its place in the context. */
  readonly sequence: number;
  /** Prompt and answer. The last token of the answer has not been computed yet. */
  readonly tokens: Int32Array;
  readonly promptTokens: number;
  /** How many tokens the context has computed. */
  computed = 0;
  cachedTokens = 0;
  restoredMs = 0;
  prefilledMs = 0;
  firstMs = 0;
  #length: number;
  #finish: 'stop' | 'length' | undefined;
  #said = '';
  readonly #text: AnswerText;
  readonly #random: Random;
  readonly #digest: Hash | undefined;
  readonly #startedMs: number;

  /** @param room for prompt and answer */
  constructor(
    id: number,
    work: Work,
    sequence: number,
    prompt: Int32Array,
    room: number,
    startedMs: number,
  ) {
    this.id = id;
    this.work = work;
    this.sequence = sequence;
    this.promptTokens = prompt.length;
    this.tokens = new Int32Array(Math.min(room, prompt.length + work.maxTokens));
    this.tokens.set(prompt);
    this.#length = prompt.length;
    this.#text = new AnswerText(work.stop);
    this.#random = new Random(work.seed);
    this.#digest = work.logitsDigest ? createHash('sha256') : undefined;
    this.#startedMs = startedMs;
  }

  get random(): Random {
    return this.#random;
  }

  get isPrefilling(): boolean {
    return this.computed < this.promptTokens;
  }

  get isFinished(): boolean {
    return this.#finish !== undefined;
  }

  get lastToken(): number {
    return this.tokens[this.#length - 1] as number;
  }

  /** Notes the logits that a token is taken from. */
  saw(logits: Float32Array): void {
    this.#digest?.update(new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength));
  }

  /**
   * Takes the next token of the answer.
   * @param piece its bytes
   * @param isEnd whether the model ends with it
   */
  take(token: number, piece: Uint8Array, isEnd: boolean): Emitted {
    const index = this.completionTokens;
    this.tokens[this.#length] = token;
    this.#length += 1;
    let text = isEnd ? '' : this.#text.push(piece);
    if (isEnd || this.#text.stopped) this.#finish = 'stop';
    else if (this.#length === this.tokens.length) this.#finish = 'length';
    if (this.#finish !== undefined) text += this.#text.end();
    this.#said += text;
    return { token, text, index };
  }

  get completionTokens(): number {
    return this.#length - this.promptTokens;
  }

  /** Once. @param nowMs of the clock that `startedMs` was of */
  result(nowMs: number): GenerationResult {
    const { restoredMs, prefilledMs, firstMs } = this;
    return {
      text: this.#said,
      finishReason: this.#finish ?? 'length',
      usage: {
        promptTokens: this.promptTokens,
        cachedTokens: this.cachedTokens,
        completionTokens: this.completionTokens,
        timings: {
          queuedMs: 0,
          restoreMs: restoredMs,
          prefillMs: prefilledMs,
          firstTokenMs: firstMs - this.#startedMs,
          totalMs: nowMs - this.#startedMs,
        },
      },
      ...(this.#digest === undefined ? {} : { logitsDigest: this.#digest.digest('hex') }),
    };
  }
}
