/**
 * Real conversations through a real server: every turn is tokenised, stored as it comes, kept over a restart, read back and
 * decoded to the identical text.
 *
 *   node examples/conversations/main.js [--dialogues N] [--json]
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { decode, encode } from 'gpt-tokenizer/encoding/o200k_base';
import { Client, forEachOf } from './client.js';
import { readDialogues } from './dialogues.js';
import { Progress } from './progress.js';
import { Server } from './server.js';

/** Dialogues in flight at once; the turns of one dialogue follow one another. */
const concurrency = 32;
/** Text of a dialogue is text: what looks like a control token of the model is not one. */
const asPlainText = { disallowedSpecial: new Set() };

const usage = 'Usage: node examples/conversations/main.js [--dialogues N] [--json]';

const { most, json } = readOptions();

const folder = mkdtempSync(join(tmpdir(), 'cenote-conversations-'));
/** @type {Server | undefined} */
let server;
// The terminal sends Ctrl-C to the server too; what is left is the folder.
process.once('SIGINT', () => {
  rmSync(folder, { recursive: true, force: true });
  process.exit(130);
});

try {
  const source = readDialogues();
  const dialogues = tokenise(source.dialogues.slice(0, most));
  say(`${source.description}: ${dialogues.length} dialogues`);

  server = await Server.start(folder);
  const key = server.key;
  say(`server at ${server.url}, pool in ${folder}`);
  const written = await store(dialogues, new Client(server.url, key));

  const restartMs = performance.now();
  await server.stop();
  server = await Server.start(folder);
  const restartSeconds = (performance.now() - restartMs) / 1000;
  say(`restarted in ${restartSeconds.toFixed(2)} s`);

  const read = await readBack(dialogues, new Client(server.url, key));
  report({ source: source.description, ...counts(dialogues), written, restartSeconds, read });
} finally {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
}

/**
 * @typedef {object} Dialogue
 * @property {string} id the context it is stored as
 * @property {string} text all turns
 * @property {Uint32Array[]} turns the tokens of each turn
 */

/**
 * @param {readonly (readonly string[])[]} dialogues the turns of each dialogue
 * @returns {Dialogue[]}
 */
function tokenise(dialogues) {
  const progress = new Progress('tokenise', dialogues.length);
  const tokenised = dialogues.map((turns, index) => {
    progress.add(1);
    return {
      id: `dialogue-${String(index + 1).padStart(4, '0')}`,
      text: turns.join(''),
      turns: turns.map((turn) => Uint32Array.from(encode(turn, asPlainText))),
    };
  });
  progress.finish();
  return tokenised;
}

/** The first turn makes the part, the others extend it where it is. @param {Dialogue[]} dialogues @param {Client} client */
async function store(dialogues, client) {
  const requests = dialogues.reduce((sum, { turns }) => sum + turns.length, 0);
  const progress = new Progress('store', requests);
  await forEachOf(dialogues, concurrency, async ({ id, turns: [first, ...others] }) => {
    await client.send('PUT', `/v1/contexts/${id}/parts/tokens?kind=tokens&type=u32`, first);
    progress.add(1);
    for (const turn of others) {
      await client.send('POST', `/v1/contexts/${id}/parts/tokens/append?type=u32`, turn);
      progress.add(1);
    }
  });
  client.close();
  return { requests, seconds: progress.finish() };
}

/** @param {Dialogue[]} dialogues @param {Client} client */
async function readBack(dialogues, client) {
  const progress = new Progress('read back', dialogues.length);
  await forEachOf(dialogues, concurrency, async ({ id, text }) => {
    const bytes = await client.send('GET', `/v1/contexts/${id}/parts/tokens`);
    const tokens = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    if (decode(tokens) !== text) throw new Error(`${id} came back as another text`);
    progress.add(1);
  });
  client.close();
  return { requests: dialogues.length, seconds: progress.finish() };
}

/** @param {Dialogue[]} dialogues */
function counts(dialogues) {
  const turns = dialogues.flatMap((dialogue) => dialogue.turns);
  const tokens = turns.reduce((sum, turn) => sum + turn.length, 0);
  return { dialogues: dialogues.length, turns: turns.length, tokens, bytes: tokens * 4 };
}

/**
 * @typedef {{ requests: number, seconds: number }} Phase
 * @param {{ source: string, dialogues: number, turns: number, tokens: number, bytes: number, written: Phase, restartSeconds: number,
 *   read: Phase }} summary
 */
function report(summary) {
  if (json) {
    console.log(JSON.stringify(summary, undefined, 2));
    return;
  }
  const { dialogues, turns, tokens, bytes, written, restartSeconds, read } = summary;
  const rate = (/** @type {Phase} */ phase) =>
    `${count(phase.requests)} requests in ${phase.seconds.toFixed(2)} s, ${count(phase.requests / phase.seconds)} per second`;
  console.log(
    [
      `dialogues   ${count(dialogues)}`,
      `turns       ${count(turns)}`,
      `tokens      ${count(tokens)} (${count(bytes)} bytes)`,
      `stored      ${rate(written)}`,
      `restarted   in ${restartSeconds.toFixed(2)} s`,
      `read back   ${rate(read)}`,
      `identical   ${count(dialogues)} of ${count(dialogues)} dialogues`,
    ].join('\n'),
  );
}

/** What the command line asks for; ends the process when that is help, or nothing that makes sense. */
function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        dialogues: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    const wanted = values.dialogues === undefined ? Infinity : Number(values.dialogues);
    if (wanted !== Infinity && !(Number.isInteger(wanted) && wanted >= 1)) {
      throw new Error(`--dialogues ${values.dialogues} is not a count`);
    }
    return { most: wanted, json: values.json };
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    process.exit(2);
  }
}

/** @param {number} number */
function count(number) {
  return Math.round(number).toLocaleString('en-US');
}

/** Messages go to stderr: stdout has the summary alone. @param {string} text */
function say(text) {
  process.stderr.write(`${text}\n`);
}
