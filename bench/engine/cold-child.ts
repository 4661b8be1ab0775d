/** Opens an engine, makes one token, and says so: `node cold-child.js MODEL`. */

import { LlamaEngine } from 'cenote/engine';

const engine = await LlamaEngine.open({ modelPath: process.argv[2] ?? '', threads: 1 });
for await (const token of engine.generate({ prompt: 'Call me', maxTokens: 1 })) {
  process.stdout.write(`${token.index}\n`);
}
await engine.close();
