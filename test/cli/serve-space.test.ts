import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { plainPalette } from '../../src/cli/ansi.ts';
import { spaceNote } from '../../src/cli/serve-space.ts';
import { mayMount, tinyFileSystem } from '../memory/support/tiny-file-system.ts';
import { Scratch, Serving } from './support/cli.ts';

const mib = 2 ** 20;

describe('the room for the pools of a server', () => {
  it('is what the file system has, and what they take already', () => {
    using scratch = new Scratch();
    const data = scratch.join('data');
    const note = (capacityBytes: number): string =>
      spaceNote(data, capacityBytes, plainPalette, () => 10 * mib).join('\n');
    expect(note(10 * mib)).toBe('');
    expect(note(10 * mib + 1)).toMatch(
      /^note\[memory_unavailable\]: the file system of .*data has 10\.0 MiB free beside 0 B /,
    );
    expect(note(11 * mib)).toContain('--shm-size');
    mkdirSync(scratch.join('data', 'tenants', 'acme'), { recursive: true });
    writeFileSync(scratch.join('data', 'tenants', 'acme', 'segment-0'), new Uint8Array(2 * mib));
    expect(note(12 * mib)).toBe('');
    expect(note(13 * mib)).toContain('beside 2.00 MiB that the pools take');
  });

  it('is looked at where the folder is not made yet', () => {
    using scratch = new Scratch();
    const seen: string[] = [];
    spaceNote(scratch.join('not', 'yet'), 1, plainPalette, (path) => {
      seen.push(path);
      return 1;
    });
    expect(seen).toEqual([scratch.path]);
    expect(spaceNote(scratch.path, 1, plainPalette)).toEqual([]);
  });

  it('is told of at the start, also of one that fails', async (context) => {
    if (!mayMount) context.skip('no right to mount a small file system: run as root');
    const folder = tinyFileSystem(80 * mib) as string;
    const words = ['--http', '0', '--data', `${folder}/data`];
    const server = await Serving.start([...words, '--capacity', '128MiB']);
    expect(server.stderr).toContain('note[memory_unavailable]: ');
    await server.stop();
    const again = await Serving.start(words);
    expect(again.stderr).toContain('of --capacity are used');
    await again.stop();
    const failed = Serving.start(['--http', '0', '--data', `${folder}/other`]);
    await expect(failed).rejects.toThrow('error[memory_unavailable]');
    await expect(failed).rejects.toThrow('the 2.00 GiB of --capacity');
  });
});
