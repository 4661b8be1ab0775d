/** The model of a server: which one, with what memory, and why there is none. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { LlamaEngine } from '../engine/api.ts';
import { openEngine } from '../engine/engine.ts';
import { TenantBlocks } from '../engine/state/tenants.ts';
import { hasCode } from '../errors.ts';
import { engineSalt } from '../guard/engine-salt.ts';
import type { DataLayout } from '../guard/layout.ts';
import { openPool } from '../pool/open.ts';
import type { Arguments, OptionSpec } from './command.ts';
import { parseBytes } from './format.ts';
import { printLine, type Io } from './io.ts';

/** In a clone; the package does without. */
const shippedModel = fileURLToPath(new URL('../../models/cenote-moby.gguf', import.meta.url));

/** State of a token of the model that ships takes 2 KiB. */
const shippedCapacityBytes: number = 128 * 2 ** 20;
const capacityBytesDefault: number = 2 ** 30;

export const engineOptions: Record<string, OptionSpec> = {
  model: {
    value: 'FILE',
    help: "GGUF file of the model that answers /v1/chat/completions; 'off': none. Default: in a clone the small one that ships.",
    env: 'CENOTE_MODEL',
  },
  'model-memory': {
    value: 'SIZE',
    help: 'Bound on the memory for what the model has computed, beside --capacity. Default: 1GiB, for the one that ships 128MiB.',
    env: 'CENOTE_MODEL_MEMORY',
  },
};

export interface EngineConfig {
  /** Undefined: there is none. */
  readonly modelPath: string | undefined;
  /** Somebody asked for this one: the server does not start without it. */
  readonly isGiven: boolean;
  readonly capacityBytes: number;
}

export function readEngineConfig(args: Arguments): EngineConfig {
  const given = args.setting('model')?.text;
  const memory = args.setting('model-memory');
  const shipped = existsSync(shippedModel) ? shippedModel : undefined;
  return {
    modelPath: given === 'off' ? undefined : (given ?? shipped),
    isGiven: given !== undefined,
    capacityBytes:
      memory !== undefined
        ? parseBytes(memory.text, memory.source)
        : given === undefined
          ? shippedCapacityBytes
          : capacityBytesDefault,
  };
}

/** The part of the settings of a server that is about its model. */
interface Settings {
  readonly engine: EngineConfig;
  readonly layout: DataLayout;
  readonly json: boolean;
}

export interface ServedEngine {
  readonly engine: LlamaEngine;
  /** To be told now and then of all tenants that there are: what was computed for others is removed. */
  follow(tenants: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * The model, and the pool that its state is kept in: one for all tenants, whose state is told apart by keys. Without llama.cpp on this machine a model that
 * nobody has asked for is left out, and that is said.
 */
export async function openServedEngine(
  { engine: config, layout, json }: Settings,
  io: Io,
): Promise<ServedEngine | undefined> {
  const { modelPath, isGiven, capacityBytes } = config;
  if (modelPath === undefined) return undefined;
  const pool = await openPool({ path: layout.engineFolder, capacityBytes }).catch(
    (error: unknown) => left(error, isGiven, json, io),
  );
  if (pool === undefined) return undefined;
  try {
    // What is said with the small model is short: its state is found again in steps of 16 tokens.
    const steps = modelPath === shippedModel ? { batchTokens: 16 } : {};
    const salt = await engineSalt(layout);
    const engine = await openEngine({ modelPath, pool, salt, ...steps });
    const blocks = new TenantBlocks(pool, salt);
    return {
      engine,
      follow: (tenants) => blocks.follow(tenants),
      async close() {
        await engine.close();
        await pool.close();
      },
    };
  } catch (error) {
    await pool.close();
    return left(error, isGiven, json, io);
  }
}

/** Says why nobody answers, where that is no reason not to start. */
function left(error: unknown, isGiven: boolean, json: boolean, io: Io): undefined {
  const isMissing =
    hasCode(error, 'engine_missing') ||
    hasCode(error, 'platform_unsupported') ||
    hasCode(error, 'koffi_missing');
  if (isGiven || !isMissing) throw error;
  if (json) return undefined;
  printLine(io.stderr, `${io.err.yellow('note:')} no model answers: ${error.message}`);
  printLine(io.stderr, `  ${error.advice}`);
  return undefined;
}
