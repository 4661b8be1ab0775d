/**
 * What a piece of work has read and written. Two steps that have nothing in common but what both read come to the same in either order
 * (partial-order reduction: Godefroid, LNCS 1032, 1996).
 */

type View = Int32Array | Uint8Array;

interface Span {
  readonly buffer: ArrayBufferLike;
  readonly from: number;
  readonly to: number;
  readonly isWritten: boolean;
}

export class Footprint {
  /** By buffer and byte: whether the word there is written. */
  readonly #words = new Map<ArrayBufferLike, Map<number, boolean>>();
  readonly #spans: Span[] = [];

  /** Elements `from` up to `to` of a view have been read, or written. */
  add(view: View, from: number, to: number, isWritten: boolean): void {
    const span = spanOf(view, from, to, isWritten);
    if (!isWord(span)) {
      this.#spans.push(span);
      return;
    }
    const words = this.#words.get(span.buffer) ?? new Map<number, boolean>();
    this.#words.set(span.buffer, words);
    words.set(span.from, isWritten || words.get(span.from) === true);
  }

  /** Whether it matters what comes first: this work, or a step that reads or writes these elements. */
  meets(view: View, from: number, to: number, isWritten: boolean): boolean {
    const span = spanOf(view, from, to, isWritten);
    const words = this.#words.get(span.buffer);
    if (words !== undefined) {
      for (let byte = span.from; byte < span.to; byte += wordBytes) {
        const written = words.get(byte);
        if (written === true || (written === false && isWritten)) return true;
      }
    }
    return this.#spans.some(
      (other) =>
        other.buffer === span.buffer &&
        other.from < span.to &&
        span.from < other.to &&
        (other.isWritten || isWritten),
    );
  }
}

const wordBytes = Int32Array.BYTES_PER_ELEMENT;

/** In whole words. */
function spanOf(view: View, from: number, to: number, isWritten: boolean): Span {
  const { buffer, byteOffset, BYTES_PER_ELEMENT: each } = view;
  const end = byteOffset + to * each;
  const begin = byteOffset + from * each;
  return {
    buffer,
    from: begin - (begin % wordBytes),
    to: Math.ceil(end / wordBytes) * wordBytes,
    isWritten,
  };
}

function isWord({ from, to }: Span): boolean {
  return to - from === wordBytes;
}
