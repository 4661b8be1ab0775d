/** A model's weights and vocabulary: read-only, so that any number of contexts share it. */

import { closeSync, openSync, readSync } from 'node:fs';
import { fail } from '../../errors.ts';
import type { ChatMessage } from '../api.ts';
import { endText, plainTurns } from '../gguf/vocabulary.ts';
import { type Address, type Foreign, foreign } from './foreign.ts';
import { byValue, modelParams, structOf } from './structs.ts';

const magic = 'GGUF';
const descriptionBytes = 256;
/** A template that needs more than this times the text of its messages, and as many bytes, is refused. */
const templateFactor = 4;
const templateSlackBytes = 65_536;
/** A piece longer than this is no token of a text model. */
const pieceBytesMax = 4096;
/** `enum llama_token_attr`: unknown, control. */
const controlAttributes: number = 1 | 8;
const noBytes: Uint8Array = new Uint8Array(0);

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Control {
  readonly texts: RegExp | undefined;
  readonly bytesMax: number;
}

function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
}

/** @throws engine_model_invalid unless the file begins as GGUF files do */
function checkFile(path: string): void {
  const start = new Uint8Array(magic.length);
  try {
    const file = openSync(path, 'r');
    try {
      readSync(file, start, 0, start.length, 0);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    fail('engine_model_invalid', `The model ${path} cannot be read.`, error);
  }
  if (decoder.decode(start) === magic) return;
  fail('engine_model_invalid', `${path} is not a GGUF file.`);
}

export class LlamaModel {
  readonly path: string;
  readonly address: bigint;
  readonly vocabulary: number;
  readonly layers: number;
  readonly trainedTokens: number;
  /** The model's own chat template; undefined when its file brings none. */
  readonly chatTemplate: string | undefined;
  /** Whether attention state is one row per token and layer, all of them to the end. Otherwise it cannot be cut into blocks. */
  readonly isPaged: boolean;
  readonly #library: Foreign = foreign();
  readonly #vocab: Address;
  readonly #pieces: (Uint8Array | undefined)[] = [];
  #control: Control | undefined;
  #tokenBytesMax = 0;
  #open = true;

  /** @throws engine_model_invalid, engine_missing, engine_incompatible */
  constructor(path: string) {
    checkFile(path);
    const { functions } = this.#library;
    const words = structOf(modelParams, {});
    const address = functions.llama_model_load_from_file(path, ...byValue(words)) as Address;
    if (address === null) fail('engine_model_invalid', `llama.cpp cannot load the model ${path}.`);
    this.path = path;
    this.address = address;
    this.#vocab = functions.llama_model_get_vocab(address) as Address;
    this.vocabulary = functions.llama_vocab_n_tokens(this.#vocab) as number;
    this.layers = functions.llama_model_n_layer(address) as number;
    this.trainedTokens = functions.llama_model_n_ctx_train(address) as number;
    this.chatTemplate =
      (functions.llama_model_chat_template(address, null) as string | null) ?? undefined;
    this.isPaged =
      functions.llama_model_is_recurrent(address) !== true &&
      functions.llama_model_is_hybrid(address) !== true &&
      (functions.llama_model_n_swa(address) as number) === 0;
    if (functions.llama_model_has_encoder(address) === true || this.vocabulary < 1) {
      this.close();
      fail('engine_model_invalid', `${path} is not a model that only decodes text.`);
    }
  }

  get parameters(): number {
    return Number(this.#library.functions.llama_model_n_params(this.address));
  }

  get description(): string {
    const text = new Uint8Array(descriptionBytes);
    const length = this.#library.functions.llama_model_desc(this.address, text, text.length);
    return decoder.decode(text.subarray(0, Math.min(Number(length), text.length - 1)));
  }

  /**
   * The tokens of a text, with what the model wants at the beginning of all.
   * @param special whether texts of control tokens become those
   * @param isBeginning false for what follows other tokens: it gets nothing before it
   */
  tokenize(text: string, special: boolean, isBeginning = true): Int32Array {
    const bytes = encoder.encode(text);
    let tokens = new Int32Array(bytes.length + 16);
    for (;;) {
      const count = this.#library.functions.llama_tokenize(
        this.#vocab,
        bytes,
        bytes.length,
        tokens,
        tokens.length,
        isBeginning,
        special,
      ) as number;
      if (count >= 0) return tokens.slice(0, count);
      // Not enough room: it says how much there has to be.
      if (-count <= tokens.length) fail('engine_failed', `A text has ${-count} tokens.`);
      tokens = new Int32Array(-count);
    }
  }

  /** The bytes that a token stands for: none for control tokens. May be part of a character. */
  piece(token: number): Uint8Array {
    const known = this.#pieces[token];
    if (known !== undefined) return known;
    const piece = this.isToken(token) ? this.#piece(token) : noBytes;
    if (this.isToken(token)) this.#pieces[token] = piece;
    return piece;
  }

  #piece(token: number): Uint8Array {
    const bytes = new Uint8Array(pieceBytesMax);
    const { functions } = this.#library;
    const arguments_ = [this.#vocab, token, bytes, bytes.length, 0, false] as const;
    const length = functions.llama_token_to_piece(...arguments_) as number;
    return bytes.slice(0, Math.max(length, 0));
  }

  /** The longest text that one token stands for. */
  get tokenBytesMax(): number {
    if (this.#tokenBytesMax > 0) return this.#tokenBytesMax;
    let most = this.#controlOf().bytesMax;
    for (let token = 0; token < this.vocabulary; token++) {
      most = Math.max(most, this.piece(token).length);
    }
    this.#tokenBytesMax = Math.max(most, 1);
    return this.#tokenBytesMax;
  }

  /** Finds all texts that `tokenize` would take for control tokens; undefined when there are none. */
  get controlTexts(): RegExp | undefined {
    return this.#controlOf().texts;
  }

  #controlOf(): Control {
    if (this.#control !== undefined) return this.#control;
    const { functions } = this.#library;
    const texts: string[] = [];
    for (let token = 0; token < this.vocabulary; token++) {
      const attributes = functions.llama_vocab_get_attr(this.#vocab, token) as number;
      if ((attributes & controlAttributes) === 0) continue;
      const text = functions.llama_vocab_get_text(this.#vocab, token) as string;
      if (text !== '') texts.push(text);
    }
    texts.sort((a, b) => b.length - a.length);
    this.#control = {
      bytesMax: Math.max(0, ...texts.map((text) => encoder.encode(text).length)),
      texts: texts.length === 0 ? undefined : new RegExp(texts.map(literal).join('|'), 'g'),
    };
    return this.#control;
  }

  detokenize(tokens: ArrayLike<number>): string {
    const given = Int32Array.from(tokens);
    for (const token of given) {
      if (!this.isToken(token)) fail('invalid_argument', `There is no token ${token}.`);
    }
    let bytes = new Uint8Array(given.length * 8 + 64);
    for (;;) {
      const length = this.#library.functions.llama_detokenize(
        this.#vocab,
        given,
        given.length,
        bytes,
        bytes.length,
        false,
        false,
      ) as number;
      if (length >= 0) return decoder.decode(bytes.subarray(0, length));
      bytes = new Uint8Array(-length);
    }
  }

  isToken(token: number): boolean {
    return Number.isInteger(token) && token >= 0 && token < this.vocabulary;
  }

  /** True for tokens that end what the model has to say. */
  isEnd(token: number): boolean {
    return this.#library.functions.llama_vocab_is_eog(this.#vocab, token) === true;
  }

  /** Messages as the model wants them, up to where it answers. Without a template of its own: a line `role: content` each. */
  template(messages: readonly ChatMessage[]): string {
    const { chatTemplate } = this;
    if (chatTemplate === undefined) {
      return messages.map(({ role, content }) => `${role}: ${content}\n`).join('') + 'assistant:';
    }
    // llama.cpp knows templates of others by what stands in them, and has no interpreter for ours.
    if (chatTemplate === plainTurns) {
      return messages.map(({ content }) => content.trim() + endText).join('');
    }
    const texts = messages.flatMap(({ role, content }) =>
      [role, content].map((text) => encoder.encode(`${text.replaceAll('\0', '\uFFFD')}\0`)),
    );
    const pointers = BigUint64Array.from(texts, (text) => this.#library.addressOf(text));
    const textBytes = texts.reduce((sum, text) => sum + text.length, 0);
    const into = new Uint8Array(textBytes * templateFactor + templateSlackBytes);
    const length = this.#library.functions.llama_chat_apply_template(
      chatTemplate,
      pointers,
      messages.length,
      true,
      into,
      into.length,
    ) as number;
    if (length < 0) fail('engine_failed', "llama.cpp does not know the model's chat template.");
    if (length > into.length) fail('engine_failed', `The template makes ${length} bytes.`);
    return decoder.decode(into.subarray(0, length));
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#library.functions.llama_model_free(this.address);
  }
}
