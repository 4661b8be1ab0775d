/** The structs are those of the library that is there; of any other nothing is called. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  checkStructs,
  findLibrary,
  foreign,
  loadKoffi,
} from '../../../src/engine/llama/foreign.ts';
import {
  contextParams,
  expectedDefaults,
  firstDifference,
  modelParams,
  pinnedVersion,
  type Struct,
  structOf,
  untouched,
} from '../../../src/engine/llama/structs.ts';
import { missingEngine } from '../support/models.ts';

const structs: readonly Struct[] = [modelParams, contextParams];

/** A package of some version, in a folder of its own. @returns what `require.resolve` says of it */
function packageOf(version: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-llama-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'dist'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ version }));
  return join(folder, 'dist', 'index.js');
}

describe.skipIf(missingEngine() !== undefined)('the library', () => {
  it('has these structs, and says which version it is', () => {
    // Loading compares what its default functions write with the table.
    expect(foreign().version).toBe('0.5.0-dev');
  });
});

describe('a struct', () => {
  it('as the library writes it is known', () => {
    for (const struct of structs) {
      expect(firstDifference(struct, expectedDefaults(struct))).toBeUndefined();
    }
  });

  it('that differs in any byte of any field is told by name', () => {
    for (const struct of structs) {
      for (const [name, { at }] of Object.entries(struct.fields)) {
        const written = expectedDefaults(struct);
        written[at] = (written[at] as number) ^ 1;
        expect(firstDifference(struct, written)).toBe(`${struct.name}.${name}`);
      }
    }
  });

  it('that is longer, or has something in a gap, is told by the byte', () => {
    const longer = expectedDefaults(contextParams);
    longer.fill(0, contextParams.sizeBytes, contextParams.sizeBytes + 8);
    expect(firstDifference(contextParams, longer)).toBe('llama_context_params, byte 160');
    const fuller = expectedDefaults(modelParams);
    fuller.fill(0, 36, 40);
    expect(firstDifference(modelParams, fuller)).toBe('llama_model_params, byte 36');
  });

  it('that is shorter is told by its last field', () => {
    const shorter = expectedDefaults(contextParams);
    shorter.fill(untouched, 152, 160);
    expect(firstDifference(contextParams, shorter)).toBe('llama_context_params.ctxOther');
  });

  it('of another layout is refused before anything is called', () => {
    for (const changed of structs) {
      const write = (struct: Struct, into: Uint8Array): void => {
        into.set(expectedDefaults(struct));
        // A field more at the beginning: all others are further on.
        if (struct === changed) into.copyWithin(4, 0);
      };
      expect(() => checkStructs(write)).toThrow(
        expect.objectContaining({
          code: 'engine_incompatible',
          message: expect.stringContaining(changed.name) as string,
        }),
      );
    }
    expect(() => checkStructs((struct, into) => into.set(expectedDefaults(struct)))).not.toThrow();
  });

  it('has fields that do not overlap, and ends with the last', () => {
    const sizes = { u8: 1, i32: 4, u32: 4, f32: 4, ptr: 8 };
    for (const { fields, sizeBytes } of structs) {
      const rows = Object.values(fields).sort((a, b) => a.at - b.at);
      rows.reduce((end, { at, type }) => {
        expect(at).toBeGreaterThanOrEqual(end);
        expect(at % sizes[type]).toBe(0);
        return at + sizes[type];
      }, 0);
      const last = rows.at(-1);
      expect(Math.ceil(((last?.at ?? 0) + sizes[last?.type ?? 'u8']) / 8) * 8).toBe(sizeBytes);
    }
  });

  it('is passed with its defaults but for what is changed', () => {
    const view = new DataView(structOf(contextParams, { nCtx: 77, kvUnified: 1 }).buffer);
    expect(view.byteLength).toBe(160);
    expect(view.getUint32(0, true)).toBe(77);
    expect(view.getUint32(4, true)).toBe(2048);
    expect(view.getFloat32(64, true)).toBe(-1);
    expect(view.getUint8(133)).toBe(1);
  });
});

describe('the package', () => {
  it('of the pinned version is found', () => {
    const main = packageOf(pinnedVersion);
    expect(findLibrary(() => main)).toBe(join(main, '..', '..', 'bins', 'linux-x64'));
  });

  it('of another version is refused', () => {
    const main = packageOf('3.99.0');
    expect(() => findLibrary(() => main)).toThrow(
      expect.objectContaining({
        code: 'engine_incompatible',
        message: expect.stringContaining('3.99.0') as string,
      }),
    );
  });

  it('that is not there is an error that names the command', () => {
    const resolve = (): string => {
      throw new Error('Cannot find module');
    };
    expect(() => findLibrary(resolve)).toThrow(
      expect.objectContaining({
        code: 'engine_missing',
        advice: expect.stringContaining('npm install @node-llama-cpp/linux-x64@3.22.1') as string,
      }),
    );
  });

  it('needs koffi, and Linux on x64', () => {
    const load = (): never => {
      throw new Error('Cannot find module');
    };
    expect(() => loadKoffi('linux', 'x64', load)).toThrow(
      expect.objectContaining({ code: 'engine_missing' }),
    );
    expect(() => loadKoffi('linux', 'arm64', load)).toThrow(
      expect.objectContaining({ code: 'platform_unsupported' }),
    );
    expect(() => loadKoffi('darwin', 'x64', load)).toThrow(
      expect.objectContaining({ code: 'platform_unsupported' }),
    );
  });
});
