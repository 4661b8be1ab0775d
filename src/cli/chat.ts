/** `cenote chat`: a conversation in the terminal, with what each turn has cost. */

import { fail } from '../errors.ts';
import { printable } from './ansi.ts';
import {
  askChat,
  chooseModel,
  type ChatCost,
  type ChatServer,
  type ChatTurn,
} from './chat-client.ts';
import { exitOk, type Arguments, type Command } from './command.ts';
import { inputLines } from './input-lines.ts';
import { printLine, type Io } from './io.ts';
import { reportError } from './report.ts';
import { listenForStop } from './stop.ts';

const tokensMax: number = 2 ** 20;
const temperatureMax = 2;

interface ChatConfig {
  readonly server: ChatServer;
  readonly model: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly system: string | undefined;
  readonly json: boolean;
}

export const chatCommand: Command = {
  name: 'chat',
  summary: 'Talk to the model of a server, and see what its memory saves',
  about: [
    'Each line is a turn. After each answer: the time to its first token, and how many tokens of the prompt were not ' +
      'computed again because their state was kept. /new begins another conversation; Ctrl-D ends, and so ' +
      'does Ctrl-C.',
    'Works with any server that speaks as OpenAI does. JSON: a line per turn, {text, firstTokenMs, totalMs, promptTokens, ' +
      'cachedTokens, completionTokens}.',
  ],
  positionals: [],
  options: {
    url: {
      value: 'URL',
      help: 'Where the server is.',
      env: 'CENOTE_URL',
      fallback: 'http://127.0.0.1:8080',
    },
    key: { value: 'KEY', help: 'Its API key.', env: 'CENOTE_API_KEY' },
    model: { value: 'NAME', help: 'Which model; by default the first that the server has.' },
    system: { value: 'TEXT', help: 'What the model is told before all turns.' },
    'max-tokens': { value: 'N', help: 'Longest answer.', fallback: '120' },
    temperature: { value: 'T', help: '0 takes the likeliest token, up to 2.', fallback: '0.7' },
  },
  examples: [
    { line: 'cenote chat', what: 'with the server of this machine' },
    { line: 'echo "Call me Ishmael." | cenote chat --json', what: 'one turn, for a script' },
  ],
  exitCodes: [
    { code: 0, meaning: 'the conversation has ended' },
    {
      code: 1,
      meaning: 'the server cannot be reached, has no model, or refused a turn of a script',
    },
    { code: 2, meaning: 'the command line is wrong' },
  ],
  async run(args: Arguments, io: Io): Promise<number> {
    const config = await readConfig(args);
    return converse(config, io);
  },
};

async function readConfig(args: Arguments): Promise<ChatConfig> {
  const server = { url: args.required('url').text, key: args.setting('key')?.text };
  const maxTokens = args.integer('max-tokens', 1, tokensMax);
  const { text, source } = args.required('temperature');
  const temperature = Number(text);
  if (!(temperature >= 0 && temperature <= temperatureMax)) {
    fail('invalid_argument', `${source} must be 0 to ${temperatureMax}; got ${text}.`);
  }
  const model = await chooseModel(server, args.setting('model')?.text);
  const system = args.setting('system')?.text;
  const json = args.flag('json');
  return { server, model, maxTokens, temperature, system, json };
}

/** @returns the exit code */
async function converse(config: ChatConfig, io: Io): Promise<number> {
  const { system, json, model, server } = config;
  const opening: ChatTurn[] = system === undefined ? [] : [{ role: 'system', content: system }];
  const isPerson = io.stdin.isTTY === true && !json;
  let turns = opening;
  using stop = listenForStop(() => undefined);
  if (isPerson) printLine(io.stderr, io.err.dim(`${model} at ${server.url}`));
  const prompt = (): void => void (isPerson && io.stderr.write(io.err.bold('> ')));
  prompt();
  for await (const line of inputLines(io.stdin, stop.signal)) {
    const said = line.trim();
    if (said === '/new') turns = opening;
    else if (said !== '') {
      const asked: ChatTurn[] = [...turns, { role: 'user', content: said }];
      try {
        const answer = await takeTurn(config, asked, stop.signal, io);
        turns = [...asked, { role: 'assistant', content: answer }];
      } catch (error) {
        if (stop.signal.aborted) break;
        const code = reportError(error, json, io);
        if (!isPerson) return code;
      }
    }
    prompt();
  }
  if (isPerson) printLine(io.stderr, '');
  return exitOk;
}

/** @returns the answer */
async function takeTurn(
  { server, model, maxTokens, temperature, json }: ChatConfig,
  messages: readonly ChatTurn[],
  signal: AbortSignal,
  io: Io,
): Promise<string> {
  const startedMs = io.clock.nowMs();
  let firstTokenMs: number | undefined;
  let text = '';
  const say = (piece: string): void => {
    firstTokenMs ??= io.clock.nowMs() - startedMs;
    // A model may begin with the space before its first word.
    const shown = text === '' ? piece.trimStart() : piece;
    text += piece;
    if (!json) io.stdout.write(shown.split('\n').map(printable).join('\n'));
  };
  const cost = await askChat(server, { model, messages, maxTokens, temperature }, say, signal);
  const totalMs = io.clock.nowMs() - startedMs;
  if (json) {
    printLine(io.stdout, JSON.stringify({ text, firstTokenMs, totalMs, ...cost }));
  } else {
    printLine(io.stdout, '');
    printLine(io.stderr, io.err.dim(costLine(cost, firstTokenMs ?? totalMs)));
  }
  return text;
}

function costLine({ promptTokens, cachedTokens, completionTokens }: ChatCost, ms: number): string {
  return `first token after ${ms} ms · ${cachedTokens} of ${promptTokens} prompt tokens cached · ${completionTokens} tokens`;
}
