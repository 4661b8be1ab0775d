/**
 * Vocabularies of SentencePiece's kind with byte fallback: what no piece covers is spelled in bytes, so that any text can be said.
 * A space is written ▁ in pieces. llama.cpp joins the neighbours whose piece has the highest score first.
 */

import type { GgufMetadata } from './writer.ts';

/** Kinds of tokens, as the format numbers them. */
const kinds = { normal: 1, unknown: 2, control: 3, byte: 6 } as const;

export const unknownToken = 0;
export const beginToken = 1;
export const endToken = 2;
/** The token of byte 0. Bytes follow the three tokens above, pieces the bytes. */
export const firstByteToken = 3;
export const firstPieceToken: number = firstByteToken + 256;

/** What the token at the end of a text looks like. */
export const endText = '</s>';

/** A chat template for a model that continues text: a turn is a paragraph, and the end of text ends it. */
export const plainTurns =
  "{% for message in messages %}{{ message['content'] | trim + eos_token }}{% endfor %}";

export interface TokenizerTraits {
  readonly chatTemplate?: string;
  /** A text begins with a space that it does not have, so that its first word is a word like others. */
  readonly spacePrefix?: boolean;
}

/** Metadata of a tokenizer. `pieces` stand in the order in which they are to be joined. */
export function tokenizerOf(
  pieces: readonly string[],
  { chatTemplate, spacePrefix = false }: TokenizerTraits = {},
): GgufMetadata {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  );
  return {
    'tokenizer.ggml.model': { string: 'llama' },
    'tokenizer.ggml.pre': { string: 'default' },
    'tokenizer.ggml.tokens': { strings: ['<unk>', '<s>', endText, ...bytes, ...pieces] },
    'tokenizer.ggml.scores': {
      f32s: [0, 0, 0, ...bytes.map(() => 0), ...pieces.map((_, rank) => -rank)],
    },
    'tokenizer.ggml.token_type': {
      i32s: [
        kinds.unknown,
        kinds.control,
        kinds.control,
        ...bytes.map(() => kinds.byte),
        ...pieces.map(() => kinds.normal),
      ],
    },
    'tokenizer.ggml.unknown_token_id': { u32: unknownToken },
    'tokenizer.ggml.bos_token_id': { u32: beginToken },
    'tokenizer.ggml.eos_token_id': { u32: endToken },
    'tokenizer.ggml.add_bos_token': { bool: true },
    'tokenizer.ggml.add_eos_token': { bool: false },
    'tokenizer.ggml.add_space_prefix': { bool: spacePrefix },
    ...(chatTemplate === undefined ? {} : { 'tokenizer.chat_template': { string: chatTemplate } }),
  };
}

const printable: readonly string[] = [
  '▁',
  ...Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)),
];

/** Made-up pieces: all printable characters of ASCII, then pairs and triples of letters, as many as are asked for. */
export function madeUpPieces(count: number): string[] {
  const letters = [...'▁etaoinshrdlucmfwypvbgkjqxz'];
  const pieces = printable.slice(0, count);
  let shorter: readonly string[] = letters;
  while (pieces.length < count) {
    shorter = shorter.flatMap((start) => letters.map((letter) => start + letter));
    pieces.push(...shorter.slice(0, count - pieces.length));
  }
  return pieces;
}
