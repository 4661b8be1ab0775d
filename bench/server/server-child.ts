/** Our server in a process of its own: prints the port of RESP, and ends when its input does. `node server-child.js FOLDER CAPACITY` */

import { openPool } from '../../src/pool/open.ts';
import { createServer } from '../../src/server/index.ts';

const [folder = '', capacityBytes = ''] = process.argv.slice(2);
const pool = await openPool({ path: folder, capacityBytes: Number(capacityBytes) });
const server = createServer({ pool, auth: 'none', http: { port: 0 }, resp: { port: 0 } });
await server.listen();
process.stdout.write(`${new URL(server.respUrl as string).port}\n`);
process.stdin.resume();
process.stdin.once('end', () => {
  void server
    .close({ deadlineMs: 1000 })
    .then(() => pool.close())
    .then(() => process.exit());
});
