#!/usr/bin/env node
import { existsSync } from 'node:fs';

const entry = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(entry)) {
  const { main } = await import(entry.href);
  process.exitCode = await main(process.argv.slice(2));
} else {
  console.error(
    'error[not_built]: this clone of cenote is not built yet\n  Run `npm start`, or `npm install && npm run build`.',
  );
  process.exitCode = 1;
}
