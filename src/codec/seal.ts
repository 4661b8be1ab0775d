/**
 * Sealing: AES-256-GCM with a fresh data key for each version of a part, which the tenant's key wraps. What it belongs to (tenant, context, part,
 * version, place among its chunks) is authenticated with it: sealed bytes open only where they were sealed for.
 */

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { CenoteError, fail } from '../errors.ts';
import type { KeyProvider } from './key-provider.ts';

export const dataKeyBytes = 32;
export const nonceBytes = 12;
export const tagBytes = 16;

const algorithm = 'aes-256-gcm';
const keyIdMaxBytes = 256;
const wrappedKeyMaxBytes = 4096;

/** What is kept beside sealed bytes. */
export interface Seal {
  readonly keyId: string;
  readonly wrappedKey: Uint8Array;
  readonly nonce: Uint8Array;
}

/** A seal with the data key that it wraps. */
export interface OpenSeal extends Seal {
  readonly dataKey: Uint8Array;
}

/** A fresh data key, wrapped. @throws key_unavailable */
export async function freshSeal(keys: KeyProvider): Promise<OpenSeal> {
  const dataKey = randomBytes(dataKeyBytes);
  const { keyId } = keys;
  const wrappedKey = await asked(keyId, () => keys.wrap(dataKey));
  const sound =
    Buffer.byteLength(keyId) <= keyIdMaxBytes && wrappedKey.length <= wrappedKeyMaxBytes;
  if (!sound) {
    fail('key_unavailable', `The key provider gave a name or a wrapped key that is too long.`);
  }
  return { keyId, wrappedKey, nonce: randomBytes(nonceBytes), dataKey };
}

/** The data key of a seal. @throws key_unavailable when there is no provider, or it does not know the key */
export async function openSeal(keys: KeyProvider | undefined, seal: Seal): Promise<OpenSeal> {
  const { keyId, wrappedKey } = seal;
  if (keys === undefined) {
    fail(
      'key_unavailable',
      `The part is sealed with key ${keyId}, and no key provider is configured.`,
    );
  }
  const dataKey = await asked(keyId, () => keys.unwrap(keyId, wrappedKey));
  if (dataKey.length !== dataKeyBytes) {
    fail('key_unavailable', `Key ${keyId} unwrapped to ${dataKey.length} bytes.`);
  }
  return { ...seal, dataKey };
}

async function asked(keyId: string, ask: () => Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof CenoteError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    return fail('key_unavailable', `Key ${keyId} cannot be used: ${message}.`, error);
  }
}

/** Sealed bytes, their tag behind them. `number`: their place among what the data key seals; each is sealed once. */
export function sealBytes(
  seal: OpenSeal,
  number: number,
  context: Uint8Array,
  bytes: Uint8Array,
): Buffer {
  const cipher = createCipheriv(algorithm, seal.dataKey, nonceOf(seal, number));
  cipher.setAAD(contextOf(context, number));
  const body = cipher.update(bytes);
  return Buffer.concat([body, cipher.final(), cipher.getAuthTag()]);
}

/** @returns undefined when they were sealed for something else, or changed since */
export function openBytes(
  seal: OpenSeal,
  number: number,
  context: Uint8Array,
  sealed: Uint8Array,
): Buffer | undefined {
  const end = sealed.length - tagBytes;
  if (end < 0) return undefined;
  const decipher = createDecipheriv(algorithm, seal.dataKey, nonceOf(seal, number));
  decipher.setAAD(contextOf(context, number));
  decipher.setAuthTag(sealed.subarray(end));
  const body = decipher.update(sealed.subarray(0, end));
  try {
    return Buffer.concat([body, decipher.final()]);
  } catch {
    body.fill(0);
    return undefined;
  }
}

function contextOf(context: Uint8Array, number: number): Buffer {
  const whole = Buffer.alloc(context.length + 4);
  whole.set(context);
  whole.writeUInt32LE(number, context.length);
  return whole;
}

/** A nonce of its own for each place. */
function nonceOf({ nonce }: Seal, number: number): Buffer {
  const own = Buffer.from(nonce);
  own.writeUInt32LE((own.readUInt32LE(nonceBytes - 4) ^ number) >>> 0, nonceBytes - 4);
  return own;
}
