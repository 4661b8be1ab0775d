/** models/README.md: what the file beside it is, and how it was made. */

import { bookPackage } from './book.mjs';

/**
 * @typedef {object} Told
 * @property {string} name
 * @property {string} digest SHA-256
 * @property {number} seed
 * @property {number} steps
 * @property {import('./graph.mjs').Shape} shape
 * @property {number} before loss on text that was not learned from, in nats per token
 * @property {number} after
 * @property {number} tokens that the text to learn from has
 */

/** @param {Told} told */
export function describeModel({ name, digest, seed, steps, shape, before, after, tokens }) {
  return `# The model that ships

\`${name}.gguf\` is a language model of our own, so that a fresh clone has something to talk to. It was trained on one book, writes English
words in the manner of that book, and knows nothing. Its turns are paragraphs: it goes on from what was said and ends with its paragraph.

| | |
|---|---|
| SHA-256 | \`${digest}\` |
| architecture | llama, ${shape.layers} layers × ${shape.width}, ${shape.heads} heads, context ${shape.contextTokens} tokens, float16 |
| vocabulary | ${shape.vocabulary} tokens: bytes, characters and joined pairs of the book |
| text | *Moby Dick* by Herman Melville (public domain), from \`${bookPackage}\`, ${tokens} tokens |
| training | ${steps} steps of 1,024 tokens with ggml's AdamW, in texts of 256, at the end of 1,024; seed ${seed} |
| loss on the last 4 % of the book, which it has not seen | ${before.toFixed(3)} before, ${after.toFixed(3)} after (nats per token) |

\`${name}.words.txt\` are the words that the book has more than once; a test counts how many of the model's words are among them.

## Made by

\`\`\`sh
taskset -c 0 node scripts/train-model.mjs
\`\`\`

One thread, everything drawn from the seed: the same file again, byte for byte, on the same kind of processor (another computes sums in
another order, and gets another model as good as this).
`;
}
