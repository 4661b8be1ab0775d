/** A request in an instance: what it has come to. */

import { createHash, type Hash } from 'node:crypto';
import { Random } from '../../base/random.ts';
import type { GeneratedToken, GenerationResult } from '../api.ts';
import { AnswerText } from './answer-text.ts';
import type { Work } from './protocol.ts';

export class Answering {
  readonly id: number;
  readonly work: Work;
  readonly promptTokens: number;
  readonly random: Random;
  /** −1 until its state has been looked for. */
  cachedTokens = -1;
  restoredMs = 0;
  prefilledMs = 0;
  /** True from `begin` to `end`: it has a place in the context. */
  hasPlace = false;
  #completionTokens = 0;
  #firstMs = 0;
  #finish: 'stop' | 'length' | undefined;
  #said = '';
  readonly #tokensMax: number;
  readonly #text: AnswerText;
  readonly #digest: Hash | undefined;
  readonly #startedMs: number;

  /** @param room of prompt and answer */
  constructor(id: number, work: Work, promptTokens: number, room: number, startedMs: number) {
    this.id = id;
    this.work = work;
    this.promptTokens = promptTokens;
    this.random = new Random(work.seed);
    this.#tokensMax = Math.min(work.maxTokens, room - promptTokens);
    this.#text = new AnswerText(work.stop);
    this.#digest = work.logitsDigest ? createHash('sha256') : undefined;
    this.#startedMs = startedMs;
  }

  get completionTokens(): number {
    return this.#completionTokens;
  }

  get isFinished(): boolean {
    return this.#finish !== undefined;
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
  take(token: number, piece: Uint8Array, isEnd: boolean, nowMs: number): GeneratedToken {
    const index = this.#completionTokens;
    if (index === 0) this.#firstMs = nowMs;
    this.#completionTokens += 1;
    let text = isEnd ? '' : this.#text.push(piece);
    if (isEnd || this.#text.stopped) this.#finish = 'stop';
    else if (this.#completionTokens === this.#tokensMax) this.#finish = 'length';
    if (this.#finish !== undefined) text += this.#text.end();
    this.#said += text;
    return { token, text, index };
  }

  /** Once. @param nowMs of the clock that `startedMs` was of */
  result(nowMs: number): GenerationResult {
    const { restoredMs, prefilledMs } = this;
    return {
      text: this.#said,
      finishReason: this.#finish ?? 'length',
      usage: {
        promptTokens: this.promptTokens,
        cachedTokens: Math.max(this.cachedTokens, 0),
        completionTokens: this.#completionTokens,
        timings: {
          queuedMs: 0,
          restoreMs: restoredMs,
          prefillMs: prefilledMs,
          firstTokenMs: this.#firstMs - this.#startedMs,
          totalMs: nowMs - this.#startedMs,
        },
      },
      ...(this.#digest === undefined ? {} : { logitsDigest: this.#digest.digest('hex') }),
    };
  }
}
