/** `cenote serve`: the pools of a data folder over HTTP and RESP. */

import type { DataGuard } from '../guard/data-guard.ts';
import { exitOk, type Arguments, type Command } from './command.ts';
import { printLine, type Io } from './io.ts';
import { announce } from './serve-announce.ts';
import { readConfig, serveOptions, type ServeConfig } from './serve-config.ts';
import { openServedGuard, withFirstKey } from './serve-guard.ts';
import { startServing, tellCut } from './serve-process.ts';
import { isWorker, work } from './serve-worker.ts';
import { serveWithWorkers } from './serve-workers.ts';
import { aborted, listenForStop } from './stop.ts';

export const serveCommand: Command = {
  name: 'serve',
  summary: 'Serve contexts over HTTP and RESP from pools on this machine',
  about: [
    'Each tenant has a pool in DATA/tenants/NAME that outlives the server, also a kill -9; there is one named default. ' +
      'The first start makes an API key and shows it once; CENOTE_API_KEY gives one of your own. See `cenote tenants` and ' +
      '`cenote keys`. Options count before environment variables, these before defaults.',
    'Where llama.cpp is installed (npm install @node-llama-cpp/linux-x64 koffi), --model answers /v1/chat/completions and /v1/completions as ' +
      'OpenAI does. What it computes for a prompt is kept in DATA/engine, for this tenant only, and found again.',
    'Where ONNX Runtime is installed (npm install onnxruntime-node --onnxruntime-node-install=skip), --embeddings answers /v1/embeddings, and --onnx ' +
      '/v2/models/NAME/infer as KServe and Triton have it. With --workers the state of a sequence is in the worker that has its connection.',
    'SIGINT (Ctrl-C) and SIGTERM stop the server when running requests are answered, within 10 s; a second signal ' +
      'stops it at once. With --json one line of JSON says where it listens: {version, pid, url, respUrl, pool, path, ' +
      'dataPath, capacityBytes, contexts, model}, and key at the first start.',
  ],
  positionals: [],
  options: serveOptions,
  examples: [
    { line: 'cenote serve', what: 'on port 8080, with its data in ./data' },
    {
      line: 'cenote serve --http 9000 --data /var/lib/cenote --capacity 16GiB',
      what: 'with settings of its own',
    },
    {
      line: 'CENOTE_API_KEY=$(openssl rand -hex 32) cenote serve',
      what: 'with a key that you know beforehand',
    },
    {
      line: 'cenote serve --http 0 --data "$(mktemp -d)" --json',
      what: 'for a test: a free port, and where it is',
    },
  ],
  exitCodes: [
    { code: 0, meaning: 'stopped by a signal, everything in order' },
    { code: 1, meaning: 'could not start, or could not stop in order' },
    { code: 2, meaning: 'the command line or the environment is wrong' },
    { code: 130, meaning: 'stopped at once by a second signal' },
  ],
  async run(args: Arguments, io: Io): Promise<number> {
    const config = readConfig(args);
    if (isWorker()) return work(config, io);
    using stop = listenForStop((name) => {
      printLine(
        io.stderr,
        `${name}: stopping when running requests are answered; once more stops at once`,
      );
    });
    const guard = await openServedGuard(config, io);
    try {
      if (config.workers > 1) await serveWithWorkers(guard, config, io, stop.signal);
      else await serveAlone(guard, config, io, stop.signal);
    } finally {
      await guard.close();
    }
    printLine(io.stderr, 'stopped');
    return exitOk;
  },
};

/** Serves until the signal aborts. The guard is left open. */
async function serveAlone(
  guard: DataGuard,
  config: ServeConfig,
  io: Io,
  signal: AbortSignal,
): Promise<void> {
  const serving = await withFirstKey(guard, config, io, async (key) => {
    const started = await startServing(guard, config, io);
    announce(guard, started, key, config, io);
    return started;
  });
  await aborted(signal);
  tellCut(await serving.stop(), io);
}
