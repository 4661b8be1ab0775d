const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Decodes UTF-8 as it is: a leading byte order mark is part of the text. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
