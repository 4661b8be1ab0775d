/**
 * SentencePiece's unigram model, as the sentence encoder was trained with it: a text is cut so that its pieces are together the most probable.
 *
 * Behaves as the tokenizer that TensorFlow.js has for this encoder, in what it does with characters that no piece has, too: vectors depend on that.
 */

/** As the vocabulary comes: pieces with the logarithms of their probabilities; the first few are not pieces. */
export type Vocabulary = readonly (readonly [string, number | null])[];

const reservedPieces = 6;
const separator = '\u2581';
/** What no piece has: one of them for all that stand together. */
const unknownToken = 0;

interface Node {
  readonly next: Map<string, Node>;
  token: number;
}

export class Tokenizer {
  readonly #root: Node = { next: new Map(), token: -1 };
  readonly #scores: Float64Array;
  /** In characters. */
  readonly #lengths: Int32Array;

  constructor(vocabulary: Vocabulary) {
    this.#scores = Float64Array.from(vocabulary, ([, score]) => score ?? 0);
    this.#lengths = Int32Array.from(vocabulary, ([piece]) => [...piece].length);
    for (let token = reservedPieces; token < vocabulary.length; token++) {
      let node = this.#root;
      for (const symbol of vocabulary[token]?.[0] ?? '') {
        let next = node.next.get(symbol);
        if (next === undefined) node.next.set(symbol, (next = { next: new Map(), token: -1 }));
        node = next;
      }
      node.token = token;
    }
  }

  get size(): number {
    return this.#scores.length;
  }

  encode(text: string): Int32Array {
    const normal = text.normalize('NFKC');
    if (normal === '') return new Int32Array(0);
    const symbols = [...(separator + normal.replaceAll(' ', separator))];
    return this.#walkBack(this.#bestTokens(symbols));
  }

  /** For each position the token that ends there on the best way to it. */
  #bestTokens(symbols: readonly string[]): Int32Array {
    const best = new Float64Array(symbols.length + 1);
    const tokens = new Int32Array(symbols.length + 1);
    for (let from = 0; from < symbols.length; from++) {
      const reach = (to: number, token: number, score: number): void => {
        const sum = score + (best[from] as number);
        // Nothing ends at a position whose best is 0; of equals the shorter last piece counts.
        if (best[to] !== 0 && sum < (best[to] as number)) return;
        best[to] = sum;
        tokens[to] = token;
      };
      let isKnown = false;
      let node = this.#root.next.get(symbols[from] as string);
      for (let to = from + 1; node !== undefined; to++) {
        if (node.token >= 0) {
          reach(to, node.token, this.#scores[node.token] as number);
          isKnown = true;
        }
        node = to < symbols.length ? node.next.get(symbols[to] as string) : undefined;
      }
      if (!isKnown) reach(from + 1, unknownToken, 0);
    }
    return tokens;
  }

  #walkBack(tokens: Int32Array): Int32Array {
    const found: number[] = [];
    for (let at = tokens.length - 1; at > 0;) {
      const token = tokens[at] as number;
      if (token !== unknownToken || found.at(-1) !== unknownToken) found.push(token);
      at -= token === unknownToken ? 1 : (this.#lengths[token] as number);
    }
    return Int32Array.from(found.reverse());
  }
}
