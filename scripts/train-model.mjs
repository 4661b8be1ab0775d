/**
 * `node scripts/train-model.mjs`: trains the model that ships, from nothing, and writes models/. Everything that is drawn comes from one seed,
 * and all is computed on one thread: the same steps on the same kind of processor give the same file, byte for byte.
 *
 * --steps N: fewer, for a look · --out DIR: elsewhere
 */

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureBuilt, root, say } from './setup.mjs';
import { bookPackage, readBook, wordsOf } from './train/book.mjs';
import { makeTrainer } from './train/optimise.mjs';
import { trainPieces } from './train/pieces.mjs';
import { describeModel } from './train/readme.mjs';

const name = 'cenote-moby';
const seed = 1851;
/** Heads are 64 wide: of narrower ones ggml computes attention number by number where it has AVX-512, ten times as long for 16 answers after 330 tokens. */
const shape = {
  layers: 4,
  width: 128,
  heads: 2,
  kvHeads: 2,
  vocabulary: 1024,
  contextTokens: 1024,
};
/** Factor on the first weights. */
const gain = 0.5;
const rateMax = 3e-3;
const warmUpSteps = 60;
/** Part of the highest rate that is left at the end. */
const rateRest = 0.1;
/** Short texts first, since they cost less; then such as fill the context. Each step has as many tokens. */
const stages = [
  { window: 256, texts: 4, part: 0.85 },
  { window: 1024, texts: 1, part: 0.15 },
];
const tokensPerStep = 1024;
/** Part of the paragraphs, from the end, that is never learned from. */
const heldOut = 0.04;
/** Windows that the loss is measured over. */
const measured = 12;
/** A word that the book has less often stands in no list. */
const wordMin = 2;
const stepsPerLine = 25;

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '1200' },
    out: { type: 'string', default: path.join(root, 'models') },
  },
});
const steps = Number(values.steps);

if (!ensureBuilt()) process.exit(1);
/** @param {string} file below dist */
const built = (file) => import(pathToFileURL(path.join(root, 'dist', file)).href);
const { llamaMetadata, randomTensors } = await built('engine/gguf/llama-model.js');
const { beginToken, endToken, firstPieceToken, plainTurns, tokenizerOf } = await built(
  'engine/gguf/vocabulary.js',
);
const { writeGguf } = await built('engine/gguf/writer.js');
const { LlamaEngine } = await built('engine/index.js');
const { Random } = await built('base/random.js');

/** @typedef {import('./train/graph.mjs').Weight} Weight */

/** What the file says beside weights. @param {string[]} pieces */
function metadataOf(pieces) {
  const traits = { chatTemplate: plainTurns, spacePrefix: true };
  return { ...llamaMetadata(name, shape, 'f16'), ...tokenizerOf(pieces, traits) };
}

/** Tokens of each paragraph, with the end of text behind. @param {string[]} pieces @param {string[]} paragraphs @returns {Promise<number[][]>} */
async function encode(pieces, paragraphs) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'cenote-train-'));
  try {
    const file = path.join(folder, 'start.gguf');
    writeGguf(file, metadataOf(pieces), randomTensors(shape, 'f16', seed, gain));
    const engine = await LlamaEngine.open({ modelPath: file, threads: 1 });
    const encoded = [];
    for (const text of paragraphs) {
      // The first one says that a text begins.
      const [, ...tokens] = await engine.tokenize(text);
      encoded.push([...tokens, endToken]);
    }
    await engine.close();
    return encoded;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * A window of text from the start of a paragraph, and what comes next at each place.
 *
 * @param {number[][]} paragraphs
 * @param {number} first
 * @param {number} window
 */
function windowAt(paragraphs, first, window) {
  const tokens = [beginToken];
  for (let index = first; tokens.length <= window; index++) {
    tokens.push(...(paragraphs[index % paragraphs.length] ?? []));
  }
  return {
    tokens: tokens.slice(0, window),
    next: tokens.slice(1, window + 1),
  };
}

/** @param {number} step from 0 */
function rateAt(step) {
  const wave = (1 + Math.cos((Math.PI * step) / steps)) / 2;
  return rateMax * Math.min(1, (step + 1) / warmUpSteps) * (rateRest + (1 - rateRest) * wave);
}

/** @param {number} value */
const shown = (value) => value.toFixed(3);

/** On whole contexts. @param {readonly Weight[]} given @param {number[][]} paragraphs */
function meanLoss(given, paragraphs) {
  const trainer = makeTrainer(shape, given, shape.contextTokens, 1);
  const apart = Math.floor(paragraphs.length / measured);
  const losses = Array.from({ length: measured }, (_, index) => {
    const { tokens, next } = windowAt(paragraphs, index * apart, shape.contextTokens);
    return trainer.loss(Int32Array.from(tokens), Int32Array.from(next));
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / measured;
}

/** @param {readonly Weight[]} given @param {number[][]} paragraphs @returns {Weight[]} what they have become */
function train(given, paragraphs) {
  const random = new Random(seed);
  const started = performance.now();
  let weights = [...given];
  let sum = 0;
  let step = 0;
  let end = 0;
  for (const { window, texts, part } of stages) {
    const trainer = makeTrainer(shape, weights, window, texts);
    end += Math.round(steps * part);
    for (; step < end; step++) {
      const drawn = Array.from({ length: texts }, () =>
        windowAt(paragraphs, Number(random.below(paragraphs.length)), window),
      );
      const tokens = Int32Array.from(drawn.flatMap((text) => text.tokens));
      const next = Int32Array.from(drawn.flatMap((text) => text.next));
      sum += trainer.step(tokens, next, rateAt(step));
      if ((step + 1) % stepsPerLine !== 0) continue;
      const perSecond = ((step + 1) * tokensPerStep * 1000) / (performance.now() - started);
      say(`step ${step + 1}: loss ${shown(sum / stepsPerLine)}, ${Math.round(perSecond)} tokens/s`);
      sum = 0;
    }
    weights = weights.map((weight) => {
      const learned = trainer.valuesOf(weight);
      return { ...weight, values: () => learned };
    });
  }
  return weights;
}

/** Words of the book, for whoever judges what the model says. @param {string[]} book */
function wordList(book) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const word of book.flatMap(wordsOf)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].flatMap(([word, count]) => (count >= wordMin ? [word] : [])).sort();
}

say(`reading ${bookPackage} …`);
const book = readBook();
say('training the vocabulary …');
const pieces = trainPieces(book, shape.vocabulary - firstPieceToken);
const paragraphs = await encode(pieces, book);
const kept = Math.floor(paragraphs.length * (1 - heldOut));
const learned = paragraphs.slice(0, kept);
const unseen = paragraphs.slice(kept);
/** @type {Weight[]} */
const weights = randomTensors(shape, 'f32', seed, gain);
const before = meanLoss(weights, unseen);
say(`${learned.flat().length} tokens to learn from; loss before: ${shown(before)}`);
const trained = train(weights, learned);
const after = meanLoss(trained, unseen);
say(`loss after: ${shown(after)}`);

mkdirSync(values.out, { recursive: true });
const file = path.join(values.out, `${name}.gguf`);
const results = trained.map((weight) => ({
  ...weight,
  // Norms stay as they are, matrices get half precision.
  type: weight.shape.length === 1 ? 'f32' : 'f16',
}));
writeGguf(file, metadataOf(pieces), results);
writeFileSync(path.join(values.out, `${name}.words.txt`), `${wordList(book).join('\n')}\n`);
const digest = createHash('sha256').update(readFileSync(file)).digest('hex');
const told = { name, digest, seed, steps, shape, before, after, tokens: learned.flat().length };
writeFileSync(path.join(values.out, 'README.md'), describeModel(told));
say(`${file}: ${digest}`);
