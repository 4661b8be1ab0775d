/** The command line where things are missing: in a folder that holds only what a test puts there. */

import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openPool } from '../../src/pool/open.ts';
import { runNode, Scratch, Serving } from './support/cli.ts';

const root = new URL('../../', import.meta.url);

function copyOf(scratch: Scratch, ...names: string[]): string {
  for (const name of ['package.json', ...names]) {
    cpSync(fileURLToPath(new URL(name, root)), scratch.join(name), {
      recursive: true,
    });
  }
  return scratch.join('bin', 'cenote.js');
}

describe('a clone that is not built', () => {
  it('says so', async () => {
    using scratch = new Scratch();
    const { code, stdout, stderr } = await runNode([copyOf(scratch, 'bin'), '--help']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error\[not_built\]: .*\n {2}Run `npm start`/);
  });
});

describe('without koffi', () => {
  it('serves from shared memory, and says what that means', async () => {
    using scratch = new Scratch();
    const program = copyOf(scratch, 'bin', 'dist');
    const words = ['--http', '0', '--data', scratch.join('data'), '--capacity', '64m'];
    const server = await Serving.start(words, {}, program);
    expect(server.stderr).toContain('contexts will be gone when the server stops');
    expect(server.stderr).toContain('npm install koffi');
    expect(server.banner).toContain('in shared memory');
    const path = '/v1/contexts/c/parts/p';
    expect((await server.request('PUT', `${path}?type=utf8`, 'hello')).status).toBe(201);
    expect(await (await server.request('GET', path)).text()).toBe('hello');
    expect((await server.stop()).code).toBe(0);
  });

  it('says what check needs', async () => {
    using scratch = new Scratch();
    const program = copyOf(scratch, 'bin', 'dist');
    await (await openPool({ path: scratch.join('pool'), capacityBytes: 4 * 2 ** 20 })).close();
    const { code, stderr } = await runNode([program, 'check', scratch.join('pool')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error\[koffi_missing\]: /);
  });
});

describe('cenote bench', () => {
  it('says that benchmarks run from a clone', async () => {
    using scratch = new Scratch();
    const { code, stderr } = await runNode([copyOf(scratch, 'bin', 'dist'), 'bench', 'store']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error\[not_built\]: benchmarks run from a clone/);
  });

  it('compiles, hands its options on, and the exit code back', async () => {
    using scratch = new Scratch();
    const program = copyOf(scratch, 'bin', 'dist', 'tsconfig.json', 'tsconfig.bench.json');
    symlinkSync(fileURLToPath(new URL('node_modules', root)), scratch.join('node_modules'));
    mkdirSync(scratch.join('bench'));
    const entry = 'console.log(JSON.stringify(process.argv.slice(2)));\nprocess.exitCode = 7;\n';
    writeFileSync(scratch.join('bench', 'main.ts'), entry);
    const words = ['store', '--quick', '--workers', '2', '--out', 'there', '--json'];
    const { code, stdout } = await runNode([program, 'bench', ...words]);
    expect(code).toBe(7);
    const passed = ['store', '--workers', '2', '--out', 'there', '--quick', '--json'];
    expect(JSON.parse(stdout)).toEqual(passed);

    writeFileSync(scratch.join('bench', 'main.ts'), 'const wrong: number = "text";\n');
    const broken = await runNode([program, 'bench', ...words]);
    expect(broken.code).toBe(1);
    expect(broken.stderr).toContain('the benchmarks do not compile');
  });
});
