/** Wraps data keys. Rooms to the right implement it; without one, `sealed` parts are refused. */
export interface KeyProvider {
  readonly keyId: string;
  wrap(dataKey: Uint8Array): Promise<Uint8Array>;
  /** @throws when the key was shredded or is not ours */
  unwrap(keyId: string, wrappedKey: Uint8Array): Promise<Uint8Array>;
}
