import { closeSync, constants, ftruncateSync, openSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { setImmediate as turn } from 'node:timers/promises';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { mapSegment, releaseSegment } from '../../src/memory/mapping.ts';
import { loadOsCalls, osCalls } from '../../src/memory/os.ts';
import type { OsCalls } from '../../src/memory/os.ts';
import { codeOf, mib, temporaryFolder } from './support/regions.ts';

const require = createRequire(import.meta.url);

function openFile(sizeBytes = mib): number {
  const fd = openSync(join(temporaryFolder(), 'file'), constants.O_RDWR | constants.O_CREAT);
  ftruncateSync(fd, sizeBytes);
  return fd;
}

describe('loadOsCalls', () => {
  it('names the platform it cannot serve before it asks for anything', () => {
    const never = (): never => {
      throw new Error('loaded');
    };
    for (const [platform, arch] of [
      ['darwin', 'arm64'],
      ['win32', 'x64'],
      ['linux', 'ia32'],
      ['freebsd', 'x64'],
    ] as const) {
      expect(codeOf(() => loadOsCalls(platform, arch, never))).toBe('platform_unsupported');
    }
  });

  it('says that koffi is missing, with the reason', () => {
    const asked: string[] = [];
    const absent = (name: string): never => {
      asked.push(name);
      throw new Error(`no ${name}`);
    };
    expect(() => loadOsCalls('linux', 'arm64', absent)).toThrow(
      expect.objectContaining({ code: 'koffi_missing', cause: new Error('no koffi') }),
    );
    expect(asked).toEqual(['@koromix/koffi-linux-arm64', 'koffi']);
  });

  it.each(['koffi', `@koromix/koffi-linux-${process.arch}`])('takes %s where it is', (name) => {
    const only = (asked: string): unknown => {
      if (asked !== name) throw new Error(`no ${asked}`);
      // The whole package, where it is installed, offers the same calls as the binary of one platform.
      return require(`@koromix/koffi-linux-${process.arch}`);
    };
    const fd = openFile();
    expect(loadOsCalls('linux', process.arch, only).lock(fd, 3)).toBe(true);
    closeSync(fd);
  });
});

describe('calls', () => {
  it('fail with the name of their errno', () => {
    const os = osCalls();
    expect(codeOf(() => os.map(-1, 4096, 'shared'))).toBe('EBADF');
    expect(codeOf(() => os.allocate(-1, 4096))).toBe('EBADF');
    expect(codeOf(() => os.punch(-1, 0, 4096))).toBe('EBADF');
    expect(codeOf(() => os.forget(4096, 4096))).toBe('ENOMEM');
    expect(os.forget(1, 4096)).toBe(false);
    expect(codeOf(() => os.residentPages(4096, 4096))).toBe('ENOMEM');
    expect(codeOf(() => os.lock(-1, 0))).toBe('EBADF');
    expect(codeOf(() => os.isLocked(-1, 0))).toBe('EBADF');
    expect(codeOf(() => os.unmap(1, 4096))).toBe('EINVAL');
    expect(codeOf(() => os.preferHuge(4096, 4096))).toBe('ENOMEM');
    expect(os.collapse(4096, 4096)).toBe(false);
    expect(codeOf(() => os.mapZeros(1, 4096))).toBe('EINVAL');
  });

  it('lock single bytes per open file, until it is closed', () => {
    const os = osCalls();
    const path = join(temporaryFolder(), 'lock');
    const [one, two] = [openSync(path, 'w+'), openSync(path, 'r+')];
    expect(os.lock(one, 0)).toBe(true);
    expect(os.lock(one, 0)).toBe(true);
    expect(os.lock(two, 0)).toBe(false);
    expect(os.lock(two, 63)).toBe(true);
    expect([
      os.isLocked(one, 0),
      os.isLocked(two, 0),
      os.isLocked(one, 63),
      os.isLocked(one, 5),
    ]).toEqual([false, true, true, false]);
    closeSync(one);
    expect(os.isLocked(two, 0)).toBe(false);
    expect(os.lock(two, 0)).toBe(true);
    closeSync(two);
  });

  it('keep private writes to themselves', () => {
    const fd = openFile();
    writeSync(fd, 'below');
    const os = osCalls();
    const mine = mapSegment(os, fd, 0, mib, 'private');
    const shared = mapSegment(os, fd, 0, mib, 'shared');
    mine.bytes[0] = 1;
    shared.bytes[1] = 2;
    expect([mine.bytes[0], shared.bytes[0], shared.bytes[1]]).toEqual([1, 'b'.charCodeAt(0), 2]);
    releaseSegment(mine);
    releaseSegment(mine);
    releaseSegment(shared);
    closeSync(fd);
  });

  it('do not leave a mapping behind when it cannot be viewed', () => {
    const fd = openFile();
    const unmapped: number[] = [];
    const os: OsCalls = {
      ...osCalls(),
      map: () => 4096,
      view: () => {
        throw new RangeError('too large');
      },
      unmap: (address) => void unmapped.push(address),
    };
    expect(() => mapSegment(os, fd, 0, mib, 'shared')).toThrow('too large');
    expect(unmapped).toEqual([4096]);
    closeSync(fd);
  });
});

describe('addresses', () => {
  it('are unmapped when the last view of them is collected, and not before', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const unmapped = new Set<number>();
    const real = osCalls();
    const os: OsCalls = {
      ...real,
      unmap(address, sizeBytes) {
        unmapped.add(address);
        real.unmap(address, sizeBytes);
      },
    };
    const fd = openFile();
    const views: Int32Array[] = [];
    // A function of its own, so that nothing of the segments stays on this stack.
    const cycle = (): void => {
      for (let i = 0; i < 300; i += 1) {
        const segment = mapSegment(os, fd, 0, mib, 'shared');
        segment.words[0] = i;
        releaseSegment(segment);
        if (i % 30 === 0) views.push(segment.words);
      }
    };
    const rounds = 20; // a bound: the collector decides when
    for (let round = 0; round < rounds && unmapped.size < 290; round += 1) {
      if (round === 0) cycle();
      collect();
      await turn();
    }
    expect(unmapped.size).toBe(290);
    for (const view of views) expect([view[0], view.at(-1)]).toEqual([0, 0]);
    closeSync(fd);
  });
});
