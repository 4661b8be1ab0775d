import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestContext } from 'vitest';
import { readMarkdown } from '../support/markdown.ts';

/**
 * The package as its users get it: the packed tarball, installed into an empty project under each supported
 * release line of Node. The other releases come from npm and are kept in the temp folder.
 */

const root = process.cwd();

const sizeMaxBytes = 25_000_000;
const packagesMax = 30;
/** Bound against a hanging example, not an expectation about speed. */
const exampleTimeoutMs = 60_000;

const releases = ['20.20.2', '22.23.3', '24.21.0'];

/** A failure to reach the registry, as npm says it. */
const unreachable = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|ENOTCACHED/;
const unreachableNote =
  'the npm registry cannot be reached: provide it with `npm config set registry URL`';

let scratch: string;
let tarball: string;

/** npm's script, so that it can run under any Node. */
function npmScript(): string {
  const given = process.env['npm_execpath'];
  if (given !== undefined && given.endsWith('npm-cli.js')) return given;
  const { stdout } = spawnSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' });
  return realpathSync(stdout.trim());
}

/** With the certificates that scripts/vitest-setup.mjs leaves out: the registry may be behind one's own. */
const { CENOTE_NPM_CA_CERTS: certificates, ...others } = process.env;
const env = certificates === undefined ? others : { ...others, NODE_EXTRA_CA_CERTS: certificates };

/** Runs a command; when the registry is out of reach, the test is skipped and says so. */
function run(
  context: TestContext | undefined,
  command: string,
  args: readonly string[],
  cwd: string,
): string {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    timeout: exampleTimeoutMs * 5,
  });
  if (status !== 0 && unreachable.test(stderr)) context?.skip(unreachableNote);
  expect(status, `${command} ${args.join(' ')}\n${stdout}\n${stderr}`).toBe(0);
  return stdout;
}

/** The Node binary of that release: this one, or one from npm. */
function nodeBinary(context: TestContext, release: string): string {
  if (process.versions.node.split('.')[0] === release.split('.')[0]) return process.execPath;
  const name = `node-${process.platform}-${process.arch}`;
  const binary = path.join(process.env['CENOTE_CACHE'] ?? os.tmpdir(), `cenote-${name}-${release}`);
  if (existsSync(binary)) return binary;
  if (process.platform !== 'linux') context.skip(`no Node ${release} for this platform on npm`);
  const pack = ['pack', '--silent', '--fetch-retries=1', `${name}@${release}`];
  run(context, process.execPath, [npmScript(), ...pack], scratch);
  run(context, 'tar', ['-xzf', `${name}-${release}.tgz`, 'package/bin/node'], scratch);
  renameSync(path.join(scratch, 'package', 'bin', 'node'), binary);
  return binary;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly scripts?: Readonly<Record<string, string>>;
}

/** Manifests of all packages in a node_modules folder, by their folder. */
function installedPackages(project: string): Map<string, Manifest> {
  const record = path.join(project, 'node_modules', '.package-lock.json');
  const { packages } = JSON.parse(readFileSync(record, 'utf8')) as { packages: object };
  return new Map(
    Object.keys(packages).map((folder) => {
      const manifest = readFileSync(path.join(project, folder, 'package.json'), 'utf8');
      return [folder, JSON.parse(manifest) as Manifest];
    }),
  );
}

function bytesUnder(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0);
}

beforeAll(() => {
  scratch = mkdtempSync(path.join(os.tmpdir(), 'cenote-package-'));
  const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', scratch];
  const name = run(undefined, process.execPath, [npmScript(), ...pack], root).trim();
  tarball = path.join(scratch, name);
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe.each(releases)('under Node %s', (release) => {
  test('the package installs small, without scripts, and the examples of the README run', (context) => {
    const node = nodeBinary(context, release);
    const project = path.join(scratch, release);
    mkdirSync(project);
    writeFileSync(path.join(project, 'package.json'), '{"name":"empty","private":true}\n');
    const install = ['install', '--no-audit', '--no-fund', '--fetch-retries=1', tarball];
    run(context, node, [npmScript(), ...install], project);

    const packages = installedPackages(project);
    expect(packages.size).toBeLessThanOrEqual(packagesMax);
    expect(bytesUnder(path.join(project, 'node_modules'))).toBeLessThanOrEqual(sizeMaxBytes);
    for (const [folder, { scripts = {} }] of packages) {
      for (const name of ['preinstall', 'install', 'postinstall']) {
        expect(scripts[name], `${folder}: ${name}`).toBeUndefined();
      }
      // npm compiles a package that has this file, script or not.
      expect(existsSync(path.join(project, folder, 'binding.gyp')), folder).toBe(false);
    }

    run(context, node, [path.join('node_modules', '.bin', 'cenote'), '--help'], project);
    const { blocks } = readMarkdown(path.join(root, 'README.md'));
    for (const { language, code, line } of blocks) {
      if (language !== 'js') continue;
      const file = path.join(project, `readme-line-${line}.mjs`);
      writeFileSync(file, code);
      run(context, node, [file], project);
    }
  });
});
