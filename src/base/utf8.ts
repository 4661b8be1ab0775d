/** Decodes UTF-8 as it is: a leading byte order mark is part of the text. */
export const utf8Decoder: TextDecoder = new TextDecoder('utf-8', { ignoreBOM: true });
