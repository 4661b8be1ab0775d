/** What engines may not do without where they meet others: files, libraries, clients, and whoever reads their numbers. */

const resume = 'test/engine/node-llama-cpp/resume.test.ts';
const scratch = 'test/engine/node-llama-cpp/scratch.test.ts';
const trials = 'test/engine/llama/tried.test.ts';
const refusals = 'test/engine/state/refusals.test.ts';
const samples = 'test/engine/worker/sample.test.ts';
const keepAlive = 'test/server/chat/keep-alive.test.ts';
const metrics = 'test/server/engine-metrics.test.ts';
const tried = 'src/engine/llama/tried.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const engineEdges = [
  {
    name: 'a checkpoint of a sequence that goes on',
    why: 'its tokens would not be those of its state',
    file: 'src/engine/node-llama-cpp/checkpoint.ts',
    from: 'if (after.length !== tokens.length || after.some((token, index) => token !== tokens[index])) {',
    to: 'if (after.length < tokens.length) {',
    test: resume,
    killer: 'a sequence is not kept while it takes in tokens',
  },
  {
    name: 'a sequence that is lost with a state that is refused',
    why: 'llama.cpp has emptied it by then',
    file: 'src/engine/node-llama-cpp/resume.ts',
    from: '  else await sequence.loadStateFromFile(before, { acceptRisk: true });\n',
    to: '',
    test: resume,
    killer: 'a sequence is what it was when llama.cpp itself refuses a state',
  },
  {
    name: 'a state whose checksum nobody looks at',
    why: 'llama.cpp takes any rows of the right length',
    file: 'src/engine/node-llama-cpp/record.ts',
    from: "    return 'its checksum does not match';\n",
    to: '',
    test: resume,
    killer: 'a sequence is refused a state with any byte changed',
  },
  {
    name: 'a state that is longer than its context',
    why: 'the library finds out when the sequence is empty already',
    file: 'src/engine/node-llama-cpp/resume.ts',
    from: 'tokens.length <= contextSize',
    to: 'tokens.length <= 2 * contextSize',
    test: resume,
    killer: 'a sequence is refused a state that is too long for it',
  },
  {
    name: 'a file of somebody’s conversation that is left',
    why: 'it is removed however its use ends',
    file: 'src/engine/node-llama-cpp/scratch.ts',
    from: '  } finally {\n    await rm(folder, { recursive: true, force: true });\n',
    to: '  } finally {\n',
    test: scratch,
    killer: 'are removed when it fails, and in no other folder',
  },
  {
    name: 'a model that was in a hurry once',
    why: 'a machine may be slow for a while: the file is not to blame for ever',
    file: tried,
    from: 'isLasting: isOfFile && !isKilled',
    to: 'isLasting: isOfFile',
    test: trials,
    killer: 'a model that took too long is tried again',
  },
  {
    name: 'a model that was good when it was another file',
    why: 'what was tried is a file, not a name',
    file: tried,
    from: 'JSON.stringify([path, stampOf(path), kvType])',
    to: 'JSON.stringify([path, kvType])',
    test: trials,
    killer: 'a file that is another one is tried again',
  },
  {
    name: 'a start that is tried again and again at once',
    why: 'a model that cannot be loaded would keep a core busy',
    file: 'src/engine/instances/crew.ts',
    from: 'Math.min(2 * this.#retryWaitMs, retryMostMs)',
    to: 'Math.min(this.#retryWaitMs, retryMostMs)',
    test: 'test/engine/instances/crew.test.ts',
    killer:
      'an instance that cannot begin is tried again, each time after twice as long, up to a minute',
  },
  {
    name: 'blocks behind a damaged one that stay',
    why: 'each would cost a request to find',
    file: 'src/engine/state/writer.ts',
    from: 'block >= replaceFrom || ',
    to: '',
    test: refusals,
    killer:
      'a block that is damaged is written anew by the next request, and all that follow it, which nobody has looked at',
  },
  {
    name: 'blocks behind a damaged one that the first writer keeps',
    why: 'what is there may be damaged too',
    file: 'src/engine/state/writer.ts',
    from: '...(block < replaceFrom && { ifVersion: 0 }),',
    to: 'ifVersion: 0,',
    test: refusals,
    killer:
      'a block that is damaged is written anew by the next request, and all that follow it, which nobody has looked at',
  },
  {
    name: 'a token of logits that are no numbers',
    why: 'a comparison with NaN is false, and the first token would win',
    file: 'src/engine/worker/sample.ts',
    from: ' else if (Number.isNaN(value)) return noToken;',
    to: '',
    test: samples,
    killer: 'is none where one is no number',
  },
  {
    name: 'a comment before there is a head',
    why: 'the stream would begin with headers of another kind',
    file: 'src/server/chat/event-stream.ts',
    from: '      this.begin();\n',
    to: '',
    test: keepAlive,
    killer: 'a stream whose first token does not come begins with a comment',
  },
  {
    name: 'comments after the end',
    why: 'a timer would keep each answer alive for ever',
    file: 'src/server/chat/event-stream.ts',
    from: '  [Symbol.dispose](): void {\n    this.#alarm.set(Infinity);\n',
    to: '  [Symbol.dispose](): void {\n',
    test: keepAlive,
    killer: 'a stream whose first token does not come begins with a comment',
  },
  {
    name: 'requests that a worker took with it',
    why: 'what is under way ends with its worker; what was counted stays',
    file: 'src/server/engine-numbers.ts',
    from: 'running: 0, queued: 0',
    to: 'queued: 0',
    test: metrics,
    killer: 'are added up over workers, also over those that have gone, and stay few',
  },
  {
    name: 'blocks that are written after their tenant has gone',
    why: 'what was computed last is written when nobody asks any more',
    file: 'src/engine/state/tenants.ts',
    from: 'if (looks === 1 || now.has(tenant))',
    to: 'if (looks > 0)',
    test: 'test/engine/state/tenants.test.ts',
    killer: 'those of a tenant that goes are removed, also what is written just after',
  },
  {
    name: 'a name that breaks the page of metrics',
    why: 'a model is called what its file is called',
    file: 'src/server/http/exposition.ts',
    from: '${key}="${escaped(text)}"',
    to: '${key}="${text || escaped(text)}"',
    test: metrics,
    killer: 'have names that cannot break the page',
  },
  {
    name: 'structs as objects',
    why: 'koffi brings down the process when their thread is ended meanwhile',
    file: 'src/engine/llama/structs.ts',
    from: '  return [...freeRegisters, ...words];',
    to: '  return [...freeRegisters, { words }];',
    test: 'test/engine/llama/ended.test.ts',
    killer: 'no function is called with an object',
  },
];
